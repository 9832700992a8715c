"""SDK clients pointed at one server, for one account (a 12-digit access key is the account)."""
import os

import boto3
from botocore.config import Config

REGION = "us-east-1"


class Client:
    """Makes SDK clients for one account of one server."""

    def __init__(self, server, account):
        self.server, self.account = server, account

    def __call__(self, service, region=REGION, **config):
        settings = {"retries": {"max_attempts": 0}, "parameter_validation": False, "connect_timeout": 5,
                    "read_timeout": 60, **config}
        return boto3.client(service, region_name=region, endpoint_url=self.server.url, aws_access_key_id=self.account,
                            aws_secret_access_key="test", config=Config(**settings))

    @property
    def environment(self):
        """For programs that find the server and credentials by themselves."""
        return {**os.environ, "AWS_ENDPOINT_URL": self.server.url, "AWS_ACCESS_KEY_ID": self.account,
                "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": REGION, "AWS_REGION": REGION, "AWS_PAGER": "",
                "AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull,
                "AWS_SHARED_CREDENTIALS_FILE": os.devnull}
