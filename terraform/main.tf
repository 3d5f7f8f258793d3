# The whole stack. What each function may use, and why, stands in `local.functions`; everything else follows from it.
data "aws_caller_identity" "this" {}
data "aws_partition" "this" {}
data "aws_region" "this" {}
data "aws_availability_zones" "this" {
  # checkov:skip=CKV_AWS_394: the first two are used, and a zone that is added comes after them.
  state = "available"
}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  region    = data.aws_region.this.region
  tags      = { application = var.name }

  package = "${coalesce(var.package_dir, "${path.module}/../dist")}/redrive-${var.architecture}.zip"

  functions = {
    collect = {
      handler     = "worker.lambda_collect.handler"
      description = "Stores what a source hands over; only then is it deleted there."
      timeout     = 60  # a batch of 10 takes under a second; a database that wakes takes 15
      memory      = 512 # above it the cold start does not get shorter; below it the CPU's share lengthens it
      concurrency = 10  # each holds one connection to the database
      keep_hours  = 6   # how long an asynchronous event may wait for its turn
    }
    redrive = {
      handler     = "worker.lambda_redrive.handler"
      description = "Sends one slice of a redrive, and queues the rest anew before its time ends."
      timeout     = 900 # a target may take 15 minutes to answer, and who stops listening earlier sends it twice
      memory      = 512 # it waits for others most of its time
      concurrency = 5   # redrives that send at once; their rate is kept in the database, by all of them together
      keep_hours  = 6
    }
    tick = {
      handler     = "worker.lambda_tick.handler"
      description = "Brings the schema up to date, settles outcomes, queues slices; retention and discovery."
      timeout     = 120 # discovery is cut into turns of a minute
      memory      = 512
      concurrency = 1 # two at once would do the same work twice
      keep_hours  = 1 # the next minute brings the next one
    }
    console = {
      handler     = "console.lambda_app.handler"
      description = "The pages."
      timeout     = 30   # a load balancer waits no longer
      memory      = 1024 # people wait: twice the CPU halves a cold start's imports
      concurrency = 10   # people at once; each of them waits a moment at most
      keep_hours  = 1
    }
  }

  # Of each queue that a function takes from: AWS's advice is at least six times the function's timeout.
  visibility = { for name, function in local.functions : name => 6 * function.timeout }
}
