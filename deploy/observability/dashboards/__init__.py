"""Grafana's dashboards as tables: `boards` says what is shown, `panels` turns it into Grafana's JSON."""
