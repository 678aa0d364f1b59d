"""The admin function: keys and usage, behind API Gateway with IAM authorization."""

import os

from forebay.wiring.admin import build_admin

handler = build_admin(os.environ)
