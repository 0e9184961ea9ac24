# Who may do what. Every statement has a sid and a line that says what it is for. The statements are those of
# deploy/sam/template.yaml, which deploy/sam/check.py checks.

# ── What all functions do with the store and with rules ─────────────────────────────────────────────────────────────

# Nothing here deletes, and nothing here ever should: the store is append-only, a deleted fact is lost evidence, and
# what cannot delete cannot be made to. The role of compact, which is only there if somebody says so, is the one
# exception.
data "aws_iam_policy_document" "store" {
  # Facts, ledger and alerts are read back: what is there is not done twice.
  statement {
    sid       = "ReadStore"
    actions   = ["s3:GetObject"]
    resources = ["${local.store_arn}/${var.store_prefix}/*"]
  }

  # Views list the days. And without it a missing object is a 403 and not a 404. A condition on s3:prefix would bring
  # the 403 back.
  statement {
    sid       = "ListStore"
    actions   = ["s3:ListBucket"]
    resources = [local.store_arn]
  }

  # The key of the bucket and the topics that are made here, through these two services only.
  statement {
    sid       = "UseKey"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
    resources = [local.key_arn]

    condition {
      test     = "StringEquals"
      variable = "kms:ViaService"
      values   = ["s3.${local.region}.${local.suffix}", "sns.${local.region}.${local.suffix}"]
    }
  }

  # An existing store's own key.
  dynamic "statement" {
    for_each = !local.create_store && var.store_kms_key_arn != "" ? [1] : []

    content {
      sid       = "UseStoreKey"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [var.store_kms_key_arn]

      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = ["s3.*.${local.suffix}"]
      }
    }
  }

  # Rules and routes of one's own.
  dynamic "statement" {
    for_each = local.has_config ? [1] : []

    content {
      sid     = "ReadConfiguration"
      actions = ["s3:GetObject"]
      resources = concat(
        var.rules_prefix == "" ? [] : ["arn:${local.partition}:s3:::${var.config_bucket}/${var.rules_prefix}*"],
        var.routes_key == "" ? [] : ["arn:${local.partition}:s3:::${var.config_bucket}/${var.routes_key}"],
      )
    }
  }

  # Rules are a folder: it is listed, to see what changed.
  dynamic "statement" {
    for_each = local.has_config ? [1] : []

    content {
      sid       = "ListConfiguration"
      actions   = ["s3:ListBucket"]
      resources = ["arn:${local.partition}:s3:::${var.config_bucket}"]
    }
  }
}

resource "aws_iam_policy" "store" {
  name_prefix = "${var.name}-store-"
  description = "ssm-audit reads its store and its configuration"
  policy      = data.aws_iam_policy_document.store.json
  tags        = var.tags
}

# ── What ingest and sweep do when they found something ──────────────────────────────────────────────────────────────

data "aws_iam_policy_document" "tell" {
  # Alerts; and rules that do not compile, to those who run the pipeline.
  statement {
    sid       = "PublishAlerts"
    actions   = ["sns:Publish"]
    resources = [local.alert_topic_arn, local.alarm_topic_arn]
  }

  # Topics that only the routes file names.
  dynamic "statement" {
    for_each = length(var.route_topic_arns) > 0 ? [1] : []

    content {
      sid       = "PublishToRoutes"
      actions   = ["sns:Publish"]
      resources = var.route_topic_arns
    }
  }

  # A publisher to an encrypted topic needs the topic's key.
  dynamic "statement" {
    for_each = length(var.topic_kms_key_arns) > 0 ? [1] : []

    content {
      sid       = "UseTopicKeys"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = var.topic_kms_key_arns

      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = ["sns.*.${local.suffix}"]
      }
    }
  }

  # Opted in: ends a session of this account, in whatever region it is.
  dynamic "statement" {
    for_each = var.allow_terminate_session ? [1] : []

    content {
      sid       = "TerminateSession"
      actions   = ["ssm:TerminateSession"]
      resources = ["arn:${local.partition}:ssm:*:${local.account}:session/*"]
    }
  }

  # Opted in: the same in other accounts, by a role of theirs.
  dynamic "statement" {
    for_each = var.respond_role_arn == "" ? [] : [1]

    content {
      sid       = "AssumeRespondRole"
      actions   = ["sts:AssumeRole"]
      resources = [var.respond_role_arn]
    }
  }

  # Opted in: findings go to this account's Security Hub, under its default product.
  dynamic "statement" {
    for_each = var.allow_security_hub ? [1] : []

    content {
      sid     = "ImportFindings"
      actions = ["securityhub:BatchImportFindings"]
      resources = [
        "arn:${local.partition}:securityhub:${local.region}:${local.account}:product/${local.account}/default",
      ]
    }
  }
}

resource "aws_iam_policy" "tell" {
  name_prefix = "${var.name}-tell-"
  description = "ssm-audit tells people"
  policy      = data.aws_iam_policy_document.tell.json
  tags        = var.tags
}

# ── Ingest ──────────────────────────────────────────────────────────────────────────────────────────────────────────

data "aws_iam_policy_document" "lambda_assumes" {
  # Lambda, for the function.
  statement {
    sid     = "LambdaAssumes"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["lambda.amazonaws.com"]
    }
  }
}

resource "aws_iam_role" "ingest" {
  name_prefix        = "${var.name}-ingest-"
  assume_role_policy = data.aws_iam_policy_document.lambda_assumes.json
  tags               = var.tags
}

resource "aws_iam_role_policy_attachment" "ingest_store" {
  role       = aws_iam_role.ingest.name
  policy_arn = aws_iam_policy.store.arn
}

resource "aws_iam_role_policy_attachment" "ingest_tell" {
  role       = aws_iam_role.ingest.name
  policy_arn = aws_iam_policy.tell.arn
}

resource "aws_iam_role_policy" "ingest" {
  name   = "ingest"
  role   = aws_iam_role.ingest.id
  policy = data.aws_iam_policy_document.ingest.json
}

data "aws_iam_policy_document" "ingest" {
  # Its own log, which exists: it may not make others.
  statement {
    sid       = "WriteLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.ingest.arn}:*"]
  }

  # X-Ray knows no resources for these two.
  statement {
    sid       = "SendTraces"
    actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    resources = ["*"]
  }

  # What Lambda does with the queue in the function's name.
  statement {
    sid       = "TakeFromQueue"
    actions   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
    resources = [aws_sqs_queue.ingest.arn]
  }

  # Where Lambda puts an asynchronous invocation that failed to the end.
  statement {
    sid       = "KeepFailures"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failed_invocations.arn]
  }

  # Facts, ledger, quarantine, alerts. Puts are conditional, so nothing is replaced.
  statement {
    sid       = "CreateInStore"
    actions   = ["s3:PutObject"]
    resources = ["${local.store_arn}/${var.store_prefix}/*"]
  }

  # A note there says which facts are replaced by others: only compact, which makes those, may write one.
  statement {
    sid       = "LeaveNotes"
    effect    = "Deny"
    actions   = ["s3:PutObject"]
    resources = ["${local.store_arn}/${var.store_prefix}/compacted/*"]
  }

  # Transcripts; a notification from a versioned bucket names the version.
  dynamic "statement" {
    for_each = var.session_bucket == "" ? [] : [1]

    content {
      sid       = "ReadSessions"
      actions   = ["s3:GetObject", "s3:GetObjectVersion"]
      resources = ["${local.session_bucket_arn}/${var.session_prefix}*"]
    }
  }

  # CloudTrail's files.
  dynamic "statement" {
    for_each = var.trail_bucket == "" ? [] : [1]

    content {
      sid       = "ReadTrail"
      actions   = ["s3:GetObject", "s3:GetObjectVersion"]
      resources = ["${local.trail_bucket_arn}/${var.trail_prefix}*"]
    }
  }

  # Without it an object that is gone is a 403, tried again and again, and not a 404, which ends it.
  dynamic "statement" {
    for_each = length(local.named_bucket_arns) > 0 ? [1] : []

    content {
      sid       = "ListLogBuckets"
      actions   = ["s3:ListBucket"]
      resources = local.named_bucket_arns
    }
  }

  # More log buckets, whole.
  dynamic "statement" {
    for_each = length(var.other_log_bucket_arns) > 0 ? [1] : []

    content {
      sid       = "ReadOtherLogs"
      actions   = ["s3:GetObject", "s3:GetObjectVersion"]
      resources = [for arn in var.other_log_bucket_arns : "${arn}/*"]
    }
  }

  # A 404 there too.
  dynamic "statement" {
    for_each = length(var.other_log_bucket_arns) > 0 ? [1] : []

    content {
      sid       = "ListOtherLogBuckets"
      actions   = ["s3:ListBucket"]
      resources = var.other_log_bucket_arns
    }
  }

  # What the log buckets' keys encrypt, and only when S3 asks.
  dynamic "statement" {
    for_each = length(var.source_kms_key_arns) > 0 ? [1] : []

    content {
      sid       = "DecryptSources"
      actions   = ["kms:Decrypt"]
      resources = var.source_kms_key_arns

      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = ["s3.*.${local.suffix}"]
      }
    }
  }
}

# ── Sweep: it reads facts, never logs ───────────────────────────────────────────────────────────────────────────────

resource "aws_iam_role" "sweep" {
  name_prefix        = "${var.name}-sweep-"
  assume_role_policy = data.aws_iam_policy_document.lambda_assumes.json
  tags               = var.tags
}

resource "aws_iam_role_policy_attachment" "sweep_store" {
  role       = aws_iam_role.sweep.name
  policy_arn = aws_iam_policy.store.arn
}

resource "aws_iam_role_policy_attachment" "sweep_tell" {
  role       = aws_iam_role.sweep.name
  policy_arn = aws_iam_policy.tell.arn
}

resource "aws_iam_role_policy" "sweep" {
  name   = "sweep"
  role   = aws_iam_role.sweep.id
  policy = data.aws_iam_policy_document.sweep.json
}

data "aws_iam_policy_document" "sweep" {
  # Its own log.
  statement {
    sid       = "WriteLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.sweep.arn}:*"]
  }

  # X-Ray knows no resources for these two.
  statement {
    sid       = "SendTraces"
    actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    resources = ["*"]
  }

  # Where Lambda puts a sweep that failed to the end.
  statement {
    sid       = "KeepFailures"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failed_invocations.arn]
  }

  # Findings and alerts. Puts are conditional.
  statement {
    sid       = "CreateInStore"
    actions   = ["s3:PutObject"]
    resources = ["${local.store_arn}/${var.store_prefix}/*"]
  }

  # A note there says which facts are replaced by others: only compact, which makes those, may write one.
  statement {
    sid       = "LeaveNotes"
    effect    = "Deny"
    actions   = ["s3:PutObject"]
    resources = ["${local.store_arn}/${var.store_prefix}/compacted/*"]
  }
}

# ── Report: it reads facts, writes reports, and tells nobody but those who run the pipeline ─────────────────────────

resource "aws_iam_role" "report" {
  name_prefix        = "${var.name}-report-"
  assume_role_policy = data.aws_iam_policy_document.lambda_assumes.json
  tags               = var.tags
}

resource "aws_iam_role_policy_attachment" "report_store" {
  role       = aws_iam_role.report.name
  policy_arn = aws_iam_policy.store.arn
}

resource "aws_iam_role_policy" "report" {
  name   = "report"
  role   = aws_iam_role.report.id
  policy = data.aws_iam_policy_document.report.json
}

data "aws_iam_policy_document" "report" {
  # Its own log.
  statement {
    sid       = "WriteLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.report.arn}:*"]
  }

  # X-Ray knows no resources for these two.
  statement {
    sid       = "SendTraces"
    actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    resources = ["*"]
  }

  # Where Lambda puts a report that failed to the end.
  statement {
    sid       = "KeepFailures"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failed_invocations.arn]
  }

  # Reports, and no facts.
  statement {
    sid       = "WriteReports"
    actions   = ["s3:PutObject"]
    resources = ["${local.store_arn}/${var.store_prefix}/reports/*"]
  }

  # The last good rules of the bucket, and what the operator was told of: once, whoever sees it first.
  statement {
    sid     = "KeepRules"
    actions = ["s3:PutObject"]
    resources = [
      "${local.store_arn}/${var.store_prefix}/rules/*",
      "${local.store_arn}/${var.store_prefix}/operator/*",
    ]
  }

  # Rules that do not compile.
  statement {
    sid       = "PublishTrouble"
    actions   = ["sns:Publish"]
    resources = [local.alarm_topic_arn]
  }

  # That topic's key, if it is not ours.
  dynamic "statement" {
    for_each = length(var.topic_kms_key_arns) > 0 ? [1] : []

    content {
      sid       = "UseTopicKeys"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = var.topic_kms_key_arns

      condition {
        test     = "StringLike"
        variable = "kms:ViaService"
        values   = ["sns.*.${local.suffix}"]
      }
    }
  }
}

# ── Compact, opted in: it writes facts again, in fewer files, and is the one that deletes ───────────────────────────

resource "aws_iam_role" "compact" {
  count = var.compact ? 1 : 0

  name_prefix        = "${var.name}-compact-"
  assume_role_policy = data.aws_iam_policy_document.lambda_assumes.json
  tags               = var.tags
}

resource "aws_iam_role_policy_attachment" "compact_store" {
  count = var.compact ? 1 : 0

  role       = aws_iam_role.compact[0].name
  policy_arn = aws_iam_policy.store.arn
}

resource "aws_iam_role_policy" "compact" {
  count = var.compact ? 1 : 0

  name   = "compact"
  role   = aws_iam_role.compact[0].id
  policy = data.aws_iam_policy_document.compact[0].json
}

data "aws_iam_policy_document" "compact" {
  count = var.compact ? 1 : 0

  # Its own log.
  statement {
    sid       = "WriteLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${aws_cloudwatch_log_group.compact[0].arn}:*"]
  }

  # X-Ray knows no resources for these two.
  statement {
    sid       = "SendTraces"
    actions   = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"]
    resources = ["*"]
  }

  # Where Lambda puts a compaction that failed to the end.
  statement {
    sid       = "KeepFailures"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failed_invocations.arn]
  }

  # Fewer files with the same rows, and notes which files they replace. Puts are conditional.
  statement {
    sid     = "WriteTogether"
    actions = ["s3:PutObject"]
    resources = [
      "${local.store_arn}/${var.store_prefix}/facts/*",
      "${local.store_arn}/${var.store_prefix}/compacted/*",
    ]
  }

  # Files of facts that were replaced an hour ago or more. Never their versions: where the bucket has them, they stay.
  statement {
    sid       = "RemoveReplaced"
    actions   = ["s3:DeleteObject"]
    resources = ["${local.store_arn}/${var.store_prefix}/facts/*"]
  }
}

# ── Scheduler ───────────────────────────────────────────────────────────────────────────────────────────────────────

data "aws_iam_policy_document" "scheduler_assumes" {
  # EventBridge Scheduler, for this module's group of schedules: others cannot borrow the role.
  statement {
    sid     = "SchedulerAssumes"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = ["scheduler.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceArn"
      values   = ["arn:${local.partition}:scheduler:${local.region}:${local.account}:schedule-group/${var.name}"]
    }
  }
}

resource "aws_iam_role" "scheduler" {
  name_prefix        = "${var.name}-scheduler-"
  assume_role_policy = data.aws_iam_policy_document.scheduler_assumes.json
  tags               = var.tags
}

resource "aws_iam_role_policy" "scheduler" {
  name   = "scheduler"
  role   = aws_iam_role.scheduler.id
  policy = data.aws_iam_policy_document.scheduler.json
}

data "aws_iam_policy_document" "scheduler" {
  # Those that run by the clock.
  statement {
    sid     = "InvokeTasks"
    actions = ["lambda:InvokeFunction"]
    resources = concat(
      [aws_lambda_function.sweep.arn, aws_lambda_function.report.arn],
      aws_lambda_function.compact[*].arn,
    )
  }

  # What it could not deliver.
  statement {
    sid       = "KeepFailures"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failed_invocations.arn]
  }
}

# ── Policies of things ──────────────────────────────────────────────────────────────────────────────────────────────

data "aws_iam_policy_document" "key" {
  # IAM policies of this account decide, the functions' roles among them. In a key policy `*` is this key.
  statement {
    sid       = "AccountDecidesByIam"
    actions   = ["kms:*"]
    resources = ["*"]

    principals {
      type        = "AWS"
      identifiers = ["arn:${local.partition}:iam::${local.account}:root"]
    }
  }

  # Alarms publish to the encrypted topic as a service, not as a role. In a key policy `*` is this key.
  statement {
    sid       = "AlarmsPublish"
    actions   = ["kms:Decrypt", "kms:GenerateDataKey*"]
    resources = ["*"]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = [local.alarm_arns]
    }
  }
}

data "aws_iam_policy_document" "store_bucket" {
  count = local.create_store ? 1 : 0

  # Evidence does not travel in the clear.
  statement {
    sid       = "DenyWithoutTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [local.store_arn, "${local.store_arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # Facts, and notes which files of facts became which, are created and never replaced, whoever writes: a put has to say
  # `If-None-Match`. Parts of a multipart upload cannot say it, its completion can; s3:ObjectCreationOperation tells the
  # two apart.
  statement {
    sid     = "DenyReplacing"
    effect  = "Deny"
    actions = ["s3:PutObject"]
    resources = [
      "${local.store_arn}/${var.store_prefix}/facts/*",
      "${local.store_arn}/${var.store_prefix}/compacted/*",
      "${local.store_arn}/${var.store_prefix}/ledger/*",
      "${local.store_arn}/${var.store_prefix}/alerts/*",
      "${local.store_arn}/${var.store_prefix}/quarantine/*",
    ]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Null"
      variable = "s3:if-none-match"
      values   = ["true"]
    }

    condition {
      test     = "Bool"
      variable = "s3:ObjectCreationOperation"
      values   = ["true"]
    }
  }
}

data "aws_iam_policy_document" "ingest_queue" {
  statement {
    sid       = "DenyWithoutTls"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [aws_sqs_queue.ingest.arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # S3, for these buckets of these accounts and no others: who can fill the queue can make ingest fetch things.
  dynamic "statement" {
    for_each = local.is_notified && length(local.named_bucket_arns) > 0 ? [1] : []

    content {
      sid       = "LogBucketsNotify"
      actions   = ["sqs:SendMessage"]
      resources = [aws_sqs_queue.ingest.arn]

      principals {
        type        = "Service"
        identifiers = ["s3.amazonaws.com"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = local.named_bucket_arns
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = local.log_bucket_accounts
      }
    }
  }

  # The same for the other log buckets.
  dynamic "statement" {
    for_each = local.is_notified && length(var.other_log_bucket_arns) > 0 ? [1] : []

    content {
      sid       = "OtherLogBucketsNotify"
      actions   = ["sqs:SendMessage"]
      resources = [aws_sqs_queue.ingest.arn]

      principals {
        type        = "Service"
        identifiers = ["s3.amazonaws.com"]
      }

      condition {
        test     = "ArnEquals"
        variable = "aws:SourceArn"
        values   = var.other_log_bucket_arns
      }

      condition {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = local.log_bucket_accounts
      }
    }
  }

  # EventBridge, for this module's rules.
  dynamic "statement" {
    for_each = local.is_bridged ? [1] : []

    content {
      sid       = "RulesSend"
      actions   = ["sqs:SendMessage"]
      resources = [aws_sqs_queue.ingest.arn]

      principals {
        type        = "Service"
        identifiers = ["events.amazonaws.com"]
      }

      condition {
        test     = "ArnLike"
        variable = "aws:SourceArn"
        values   = [local.rule_arns]
      }
    }
  }
}

data "aws_iam_policy_document" "dead_letters" {
  statement {
    sid       = "DenyWithoutTls"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [aws_sqs_queue.dead_letters.arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

data "aws_iam_policy_document" "failed_invocations" {
  statement {
    sid       = "DenyWithoutTls"
    effect    = "Deny"
    actions   = ["sqs:*"]
    resources = [aws_sqs_queue.failed_invocations.arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # What a rule could not deliver, as a rule's own dead letters.
  statement {
    sid       = "RulesSend"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failed_invocations.arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = [local.rule_arns]
    }
  }
}

data "aws_iam_policy_document" "alert_topic" {
  count = var.alert_topic_arn == "" ? 1 : 0

  # The functions publish by their own roles; nobody publishes in the clear.
  statement {
    sid       = "DenyWithoutTls"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alerts[0].arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

data "aws_iam_policy_document" "alarm_topic" {
  count = var.alarm_topic_arn == "" ? 1 : 0

  statement {
    sid       = "DenyWithoutTls"
    effect    = "Deny"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms[0].arn]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }

  # CloudWatch, for this module's alarms.
  statement {
    sid       = "AlarmsPublish"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.alarms[0].arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [local.account]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = [local.alarm_arns]
    }
  }
}
