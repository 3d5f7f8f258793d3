# The first password of the user `admin`. Made here, and written without ever standing in the state.
ephemeral "aws_secretsmanager_random_password" "console" {
  password_length     = 48
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "console" {
  # checkov:skip=CKV2_AWS_57: it is used once, for the first sign-in; a password that is changed lives in the database.
  name        = "${var.name}/console"
  description = "The first password of the user admin"
  kms_key_id  = aws_kms_key.this.arn
  tags        = local.tags
}

resource "aws_secretsmanager_secret_version" "console" {
  secret_id                = aws_secretsmanager_secret.console.id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.console.random_password
  secret_string_wo_version = 1 # who has signed in changes the password in the console
}
