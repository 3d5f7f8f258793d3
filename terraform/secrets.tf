# The console's own secret: it signs sessions. Made here, and written without ever standing in the state.
ephemeral "aws_secretsmanager_random_password" "console" {
  password_length     = 48
  exclude_punctuation = true
}

resource "aws_secretsmanager_secret" "console" {
  # checkov:skip=CKV2_AWS_57: a new one signs everybody out, so people decide when: see its version below.
  name        = "${var.name}/console"
  description = "Signs the console's sessions"
  kms_key_id  = aws_kms_key.this.arn
  tags        = local.tags
}

resource "aws_secretsmanager_secret_version" "console" {
  secret_id                = aws_secretsmanager_secret.console.id
  secret_string_wo         = ephemeral.aws_secretsmanager_random_password.console.random_password
  secret_string_wo_version = 1 # count it up to make a new one: everybody signs in again
}
