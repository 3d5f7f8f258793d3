# Aurora PostgreSQL, unless a database is given. Its password is made, kept and rotated by Secrets Manager.
locals {
  make_database       = var.database_url_secret_arn == null
  database_secret_arn = local.make_database ? one(aws_rds_cluster.this[*].master_user_secret[0].secret_arn) : var.database_url_secret_arn
  database_host       = local.make_database ? one(aws_rds_cluster.this[*].endpoint) : ""
}

resource "aws_rds_cluster" "this" {
  # checkov:skip=CKV2_AWS_8: the cluster's own backups reach back 14 days, to any second; a plan of AWS Backup is the account's.
  count = local.make_database ? 1 : 0

  cluster_identifier                  = var.name
  engine                              = "aurora-postgresql"
  engine_mode                         = "provisioned"
  engine_version                      = "16.6"
  database_name                       = "redrive"
  master_username                     = "redrive"
  manage_master_user_password         = true
  master_user_secret_kms_key_id       = aws_kms_key.this.key_id
  storage_encrypted                   = true
  kms_key_id                          = aws_kms_key.this.arn
  db_subnet_group_name                = aws_db_subnet_group.this[0].name
  db_cluster_parameter_group_name     = aws_rds_cluster_parameter_group.this[0].name
  vpc_security_group_ids              = [aws_security_group.database[0].id]
  backup_retention_period             = 14 # our rows are the only copy of what was collected
  copy_tags_to_snapshot               = true
  deletion_protection                 = true
  skip_final_snapshot                 = false
  final_snapshot_identifier           = "${var.name}-final"
  enabled_cloudwatch_logs_exports     = ["postgresql"]
  iam_database_authentication_enabled = true
  tags                                = local.tags

  serverlessv2_scaling_configuration {
    min_capacity = var.database_capacity.min
    max_capacity = var.database_capacity.max
  }
}

resource "aws_rds_cluster_instance" "this" {
  count = local.make_database ? 2 : 0

  identifier                      = "${var.name}-${count.index}"
  cluster_identifier              = aws_rds_cluster.this[0].id
  instance_class                  = "db.serverless"
  engine                          = aws_rds_cluster.this[0].engine
  engine_version                  = aws_rds_cluster.this[0].engine_version
  auto_minor_version_upgrade      = true
  performance_insights_enabled    = true
  performance_insights_kms_key_id = aws_kms_key.this.arn
  monitoring_interval             = 60
  monitoring_role_arn             = aws_iam_role.monitoring[0].arn
  tags                            = local.tags
}

resource "aws_rds_cluster_parameter_group" "this" {
  count = local.make_database ? 1 : 0

  name        = var.name
  family      = "aurora-postgresql16"
  description = "Encrypted connections alone, and slow statements in the log"
  tags        = local.tags

  parameter {
    name  = "rds.force_ssl"
    value = "1"
  }

  parameter {
    name  = "log_min_duration_statement"
    value = "1000"
  }

  # Only what changes tables: other statements would put customers' payloads into the log.
  parameter {
    name  = "log_statement"
    value = "ddl"
  }
}

resource "aws_db_subnet_group" "this" {
  count = local.make_database ? 1 : 0

  name       = var.name
  subnet_ids = values(aws_subnet.private)[*].id
  tags       = local.tags
}

resource "aws_security_group" "database" {
  count = local.make_database ? 1 : 0

  name        = "${var.name}-database"
  description = "PostgreSQL: in from the functions, nothing out"
  vpc_id      = aws_vpc.this.id
  tags        = local.tags
}

resource "aws_vpc_security_group_ingress_rule" "database" {
  count = local.make_database ? 1 : 0

  security_group_id            = aws_security_group.database[0].id
  description                  = "The functions"
  referenced_security_group_id = aws_security_group.functions.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_iam_role" "monitoring" {
  count = local.make_database ? 1 : 0

  name               = "${var.name}-database-monitoring"
  assume_role_policy = data.aws_iam_policy_document.monitoring_trust.json
  tags               = local.tags
}

resource "aws_iam_role_policy_attachment" "monitoring" {
  count = local.make_database ? 1 : 0

  role       = aws_iam_role.monitoring[0].name
  policy_arn = "arn:${local.partition}:iam::aws:policy/service-role/AmazonRDSEnhancedMonitoringRole"
}

data "aws_iam_policy_document" "monitoring_trust" {
  statement {
    sid     = "Monitoring"
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["monitoring.rds.amazonaws.com"]
    }
  }
}
