"""What every call to AWS needs that does not go through boto3: who asks, and the signature.

::

    sigv4         request -> signed headers, pure
    credentials   from Lambda's environment, else botocore's chain
"""

from forebay.adapters.aws.credentials import CredentialSource, credentials_from
from forebay.adapters.aws.sigv4 import Credentials, Signer

__all__ = ["CredentialSource", "Credentials", "Signer", "credentials_from"]
