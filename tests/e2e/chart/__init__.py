"""The chart's tests; a package, so that its fixtures end with it and the chart is gone again."""
