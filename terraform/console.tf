# The pages. The function URL takes requests that are signed (a person's by a proxy, or by CloudFront's origin access).
resource "aws_lambda_function_url" "console" {
  function_name      = aws_lambda_function.this["console"].function_name
  authorization_type = "AWS_IAM"
}

# With a certificate, an internal load balancer as well: for browsers within the company's network.
locals {
  balance = var.console_certificate_arn != null
}

resource "aws_lb" "console" {
  # checkov:skip=CKV_AWS_91: each request is in the function's own log, with who made it; a second log would hold less.
  count = local.balance ? 1 : 0

  name                       = var.name
  internal                   = true
  load_balancer_type         = "application"
  subnets                    = values(aws_subnet.private)[*].id
  security_groups            = [aws_security_group.balancer[0].id]
  drop_invalid_header_fields = true
  enable_deletion_protection = true
  tags                       = local.tags
}

resource "aws_lb_listener" "console" {
  count = local.balance ? 1 : 0

  load_balancer_arn = aws_lb.console[0].arn
  port              = 443
  protocol          = "HTTPS"
  ssl_policy        = "ELBSecurityPolicy-TLS13-1-2-2021-06"
  certificate_arn   = var.console_certificate_arn
  tags              = local.tags

  default_action {
    type             = "forward"
    target_group_arn = aws_lb_target_group.console[0].arn
  }
}

resource "aws_lb_target_group" "console" {
  count = local.balance ? 1 : 0

  name                               = var.name
  target_type                        = "lambda"
  lambda_multi_value_headers_enabled = true # two cookies are two headers
  tags                               = local.tags

  health_check {
    enabled  = true
    path     = "/livez"
    interval = 300 # each is an invocation
    timeout  = 10
    matcher  = "200"
  }
}

resource "aws_lb_target_group_attachment" "console" {
  count = local.balance ? 1 : 0

  target_group_arn = aws_lb_target_group.console[0].arn
  target_id        = aws_lambda_function.this["console"].arn
  depends_on       = [aws_lambda_permission.balancer]
}

resource "aws_lambda_permission" "balancer" {
  count = local.balance ? 1 : 0

  statement_id  = "Balancer"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this["console"].function_name
  principal     = "elasticloadbalancing.amazonaws.com"
  source_arn    = aws_lb_target_group.console[0].arn
}

resource "aws_security_group" "balancer" {
  count = local.balance ? 1 : 0

  name        = "${var.name}-balancer"
  description = "The console's load balancer: HTTPS in from the company's network, nothing out (it calls Lambda's API)"
  vpc_id      = aws_vpc.this.id
  tags        = local.tags
}

resource "aws_vpc_security_group_ingress_rule" "balancer" {
  for_each = local.balance ? toset(var.console_clients) : toset([])

  security_group_id = aws_security_group.balancer[0].id
  description       = "People, by HTTPS"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}
