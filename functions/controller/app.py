"""The controller function: every minute, repairs what a crash left behind."""

import os

from forebay.wiring.controller import build_controller

handler = build_controller(os.environ)
