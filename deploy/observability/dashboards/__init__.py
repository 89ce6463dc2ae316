"""Grafana's dashboards as tables of panels; `panels` turns them into Grafana's JSON."""
