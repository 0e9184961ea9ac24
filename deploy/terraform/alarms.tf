# docs/deploying.md has a section for each: what it means, what to do.

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  alarm_name          = "${var.name}-dead-letters"
  alarm_description   = "Ingest gave up on log objects after five tries. Until they are redriven, facts are missing."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.dead_letters.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.alarm_topic_arn]
  ok_actions          = [local.alarm_topic_arn]
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "failed_invocations" {
  alarm_name          = "${var.name}-failed-invocations"
  alarm_description   = "An API call, a log batch or a task by the clock failed to the end, or could not be delivered."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = aws_sqs_queue.failed_invocations.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.alarm_topic_arn]
  ok_actions          = [local.alarm_topic_arn]
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "ingest_errors" {
  alarm_name        = "${var.name}-ingest-errors"
  alarm_description = "Ingest crashes, runs out of time, or fails on what it was given directly."
  namespace         = "AWS/Lambda"
  metric_name       = "Errors"
  dimensions        = { FunctionName = aws_lambda_function.ingest.function_name }
  statistic         = "Sum"
  period            = 300
  # Not at the first: what was throttled or unreachable for a moment is tried again.
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.alarm_topic_arn]
  ok_actions          = [local.alarm_topic_arn]
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "sweep_errors" {
  alarm_name          = "${var.name}-sweep-errors"
  alarm_description   = "Sweeps fail. Correlations, missing recordings and alerts that are due wait until one succeeds."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.sweep.function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.alarm_topic_arn]
  ok_actions          = [local.alarm_topic_arn]
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "report_errors" {
  alarm_name          = "${var.name}-report-errors"
  alarm_description   = "The monthly report failed. It runs once a month, so once is enough."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.report.function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.alarm_topic_arn]
  ok_actions          = [local.alarm_topic_arn]
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "compact_errors" {
  count = var.compact ? 1 : 0

  alarm_name          = "${var.name}-compact-errors"
  alarm_description   = "A compaction failed. No fact is lost, but files stay small and sweeps fetch more of them."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = aws_lambda_function.compact[0].function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.alarm_topic_arn]
  ok_actions          = [local.alarm_topic_arn]
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "queue_age" {
  alarm_name          = "${var.name}-queue-age"
  alarm_description   = "A log object has been waiting for long. What it shows will be told late."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateAgeOfOldestMessage"
  dimensions          = { QueueName = aws_sqs_queue.ingest.name }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 2
  threshold           = var.queue_age_seconds
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.alarm_topic_arn]
  ok_actions          = [local.alarm_topic_arn]
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "sweep_silence" {
  alarm_name          = "${var.name}-sweep-silence"
  alarm_description   = "No sweep for half an hour. Nobody looks for missing recordings or sends alerts again."
  namespace           = "AWS/Lambda"
  metric_name         = "Invocations"
  dimensions          = { FunctionName = aws_lambda_function.sweep.function_name }
  statistic           = "Sum"
  period              = 900
  evaluation_periods  = 2
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [local.alarm_topic_arn]
  ok_actions          = [local.alarm_topic_arn]
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "quarantine" {
  alarm_name          = "${var.name}-quarantine"
  alarm_description   = "Something in the logs could not be read. The store's quarantine/ has its name and the reason."
  namespace           = var.metrics_namespace
  metric_name         = "Quarantined"
  dimensions          = { Function = aws_lambda_function.ingest.function_name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.alarm_topic_arn]
  ok_actions          = [local.alarm_topic_arn]
  tags                = var.tags
}

resource "aws_cloudwatch_metric_alarm" "throttles" {
  alarm_name          = "${var.name}-throttles"
  alarm_description   = "Functions are not started, because the account's concurrency is used up or sweeps overlap."
  evaluation_periods  = 3
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.alarm_topic_arn]
  ok_actions          = [local.alarm_topic_arn]
  tags                = var.tags

  metric_query {
    id          = "all"
    label       = "Throttles"
    expression  = var.compact ? "FILL(ingest,0)+FILL(sweep,0)+FILL(report,0)+FILL(compact,0)" : "FILL(ingest,0)+FILL(sweep,0)+FILL(report,0)"
    return_data = true
  }

  metric_query {
    id          = "ingest"
    return_data = false

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Throttles"
      dimensions  = { FunctionName = aws_lambda_function.ingest.function_name }
      period      = 300
      stat        = "Sum"
    }
  }

  metric_query {
    id          = "sweep"
    return_data = false

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Throttles"
      dimensions  = { FunctionName = aws_lambda_function.sweep.function_name }
      period      = 300
      stat        = "Sum"
    }
  }

  metric_query {
    id          = "report"
    return_data = false

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Throttles"
      dimensions  = { FunctionName = aws_lambda_function.report.function_name }
      period      = 300
      stat        = "Sum"
    }
  }

  dynamic "metric_query" {
    for_each = aws_lambda_function.compact

    content {
      id          = "compact"
      return_data = false

      metric {
        namespace   = "AWS/Lambda"
        metric_name = "Throttles"
        dimensions  = { FunctionName = metric_query.value.function_name }
        period      = 300
        stat        = "Sum"
      }
    }
  }
}

# An audit pipeline that hears nothing looks like one that finds nothing. Two things have to go on: objects are
# announced, and what is announced is taken in. API calls that come directly are no sign that buckets still tell us.
resource "aws_cloudwatch_metric_alarm" "silence" {
  alarm_name          = "${var.name}-silence"
  alarm_description   = "For hours no log object was announced, or none taken in. Nobody logs, or nobody tells us."
  evaluation_periods  = var.silence_hours
  datapoints_to_alarm = var.silence_hours
  threshold           = 1
  comparison_operator = "LessThanThreshold"
  treat_missing_data  = "breaching"
  alarm_actions       = [local.alarm_topic_arn]
  ok_actions          = [local.alarm_topic_arn]
  tags                = var.tags

  metric_query {
    id          = "least"
    label       = "Log objects announced and taken in"
    expression  = "MIN([FILL(announced,0),FILL(taken,0)])"
    return_data = true
  }

  metric_query {
    id          = "announced"
    return_data = false

    metric {
      namespace   = "AWS/SQS"
      metric_name = "NumberOfMessagesSent"
      dimensions  = { QueueName = aws_sqs_queue.ingest.name }
      period      = 3600
      stat        = "Sum"
    }
  }

  metric_query {
    id          = "taken"
    return_data = false

    metric {
      namespace   = var.metrics_namespace
      metric_name = "Objects"
      dimensions  = { Function = aws_lambda_function.ingest.function_name }
      period      = 3600
      stat        = "Sum"
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "alerts_failed" {
  alarm_name          = "${var.name}-alerts-failed"
  alarm_description   = "Alerts do not reach somebody they are meant for. They are kept, and every sweep tries again."
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [local.alarm_topic_arn]
  ok_actions          = [local.alarm_topic_arn]
  tags                = var.tags

  metric_query {
    id          = "all"
    label       = "AlertsFailed"
    expression  = "FILL(ingest,0)+FILL(sweep,0)"
    return_data = true
  }

  metric_query {
    id          = "ingest"
    return_data = false

    metric {
      namespace   = var.metrics_namespace
      metric_name = "AlertsFailed"
      dimensions  = { Function = aws_lambda_function.ingest.function_name }
      period      = 300
      stat        = "Sum"
    }
  }

  metric_query {
    id          = "sweep"
    return_data = false

    metric {
      namespace   = var.metrics_namespace
      metric_name = "AlertsFailed"
      dimensions  = { Function = aws_lambda_function.sweep.function_name }
      period      = 300
      stat        = "Sum"
    }
  }
}
