# All images at once, tagged with the commit. `make images` does it for this machine, and measures what came out; by hand:
#   COMMIT=$(git describe --always --dirty --abbrev=12 --exclude='*') SOURCE_DATE_EPOCH=$(git log -1 --format=%ct) \
#   PLATFORMS= docker buildx bake --file docker-bake.hcl
# For both platforms (without PLATFORMS=) the builder must be one that can make an index, and run the foreign half:
#   docker buildx create --use --driver docker-container
#   docker run --rm --privileged tonistiigi/binfmt --install arm64,amd64
# An index goes to a registry, for not every engine can load it: --push --set '*.tags=' … with names of your own.

variable "COMMIT" {
  default = ""
}

# Seconds since 1970 that an image says it was made at; the commit's own time makes two builds of it equal.
variable "SOURCE_DATE_EPOCH" {
  default = "0"
}

# Comma-separated; empty: the machine's own, all that the builder of a plain engine can do.
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
    # A tag that names no commit cannot be traced back: better no image. Of a changed checkout it says `-dirty`.
    COMMIT            = regex("^[0-9a-f]{12}(?:-dirty)?$", COMMIT)
    SOURCE_DATE_EPOCH = SOURCE_DATE_EPOCH
  }
}

target "services" {
  inherits   = ["image"]
  name       = service
  matrix     = { service = ["bridge", "catalog", "facade", "gateway", "identity", "inventory", "legacy", "orders", "payments", "psp"] }
  dockerfile = "services/Dockerfile"
  args       = { SERVICE = service }
  tags       = ["banyan/${service}:${COMMIT}"]
}

target "tools" {
  inherits   = ["image"]
  dockerfile = "deploy/compose/Dockerfile"
  tags       = ["banyan/tools:${COMMIT}"]
}
