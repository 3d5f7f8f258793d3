"""The shop's Lambda functions, as a user of AWS would write them.

The sandbox deploys this folder's parent as `/var/task`.
"""
