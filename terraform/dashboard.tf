# The four figures that a release is judged by, each marked with the releases and rollbacks that the
# pipeline records (pipeline/traffic/deployment_marker.py).

locals {
  live_metric = flatten([for name, value in local.live_dimensions : [name, value]])

  release_marks = [for kind in ["deploy", "rollback"] : [
    var.service, "Releases", "Environment", var.environment, "Kind", kind,
    { stat = "Sum", yAxis = "right", label = kind }
  ]]

  dashboard_widgets = [
    {
      title = "Duration of live's calls, ms"
      metrics = [
        concat(["AWS/Lambda", "Duration"], local.live_metric, [{ stat = "p50", label = "p50" }]),
        concat(["AWS/Lambda", "Duration"], local.live_metric, [{ stat = "p95", label = "p95" }]),
      ]
    },
    {
      title = "Memory used by calls of all versions, MB"
      metrics = [
        [local.name, "MemoryUsed", { stat = "p50", label = "p50" }],
        [local.name, "MemoryUsed", { stat = "Maximum", label = "most" }],
      ]
    },
    {
      title = "Error rate of live's calls (errors and 5xx), %"
      metrics = [
        [{ expression = "100 * (FILL(errors, 0) + FILL(answered, 0)) / invocations", label = "errors" }],
        concat(["AWS/Lambda", "Errors"], local.live_metric, [{ id = "errors", visible = false }]),
        [local.name, "Answered5xx", { id = "answered", visible = false }],
        concat(["AWS/Lambda", "Invocations"], local.live_metric, [{ id = "invocations", visible = false }]),
      ]
    },
    {
      title   = "Invocations of live"
      metrics = [concat(["AWS/Lambda", "Invocations"], local.live_metric, [{ label = "invocations" }])]
    },
  ]
}

resource "aws_cloudwatch_dashboard" "service" {
  dashboard_name = local.name
  dashboard_body = jsonencode({
    widgets = [for index, widget in local.dashboard_widgets : {
      type   = "metric"
      x      = 12 * (index % 2)
      y      = 6 * floor(index / 2)
      width  = 12
      height = 6
      properties = {
        title   = widget.title
        region  = data.aws_region.current.id
        view    = "timeSeries"
        stat    = "Sum"
        period  = 60
        metrics = concat(widget.metrics, local.release_marks)
        yAxis   = { left = { min = 0 }, right = { min = 0, label = "releases", showUnits = false } }
      }
    }]
  })
}
