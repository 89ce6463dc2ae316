# All images at once, tagged with the commit: COMMIT=$(git rev-parse --short=12 HEAD) docker buildx bake
# `make images` does that for the machine's own platform, and measures what came out.

variable "COMMIT" {
  default = ""
}

# Seconds since 1970 that an image says it was made at; the commit's own time makes two builds of it equal.
variable "SOURCE_DATE_EPOCH" {
  default = "0"
}

# Comma-separated; empty: the machine's own.
variable "PLATFORMS" {
  default = "linux/amd64,linux/arm64"
}

# For a private package index and its certificate, separated by blanks: "id=uv.toml,src=… id=ca.crt,src=…"
variable "BUILD_SECRETS" {
  default = ""
}

group "default" {
  targets = ["services", "tools"]
}

target "image" {
  context   = "."
  platforms = compact(split(",", PLATFORMS))
  secret    = compact(split(" ", BUILD_SECRETS))
  args = {
    # A tag that names no commit cannot be traced back: better no image.
    COMMIT            = regex("^[0-9a-f]{12}$", COMMIT)
    SOURCE_DATE_EPOCH = SOURCE_DATE_EPOCH
  }
}

target "services" {
  inherits   = ["image"]
  name       = service
  matrix     = { service = ["catalog", "gateway", "identity", "inventory", "orders", "payments", "psp"] }
  dockerfile = "services/Dockerfile"
  args       = { SERVICE = service }
  tags       = ["banyan/${service}:${COMMIT}"]
}

target "tools" {
  inherits   = ["image"]
  dockerfile = "deploy/compose/Dockerfile"
  tags       = ["banyan/tools:${COMMIT}"]
}
