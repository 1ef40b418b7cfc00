"""A camera for tests: GStreamer's RTSP server plays MP4 files at their own pace.

    /usr/bin/python3 rtsp_server.py PORT [--user NAME --password WORD] PATH=FILE...

Prints "ready" when it listens. A file has H.264 or, with a name that ends in .h265.mp4, H.265.
"""

import argparse

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

ROLE = "viewer"


def factory(file, is_locked):
    made = GstRtspServer.RTSPMediaFactory()
    payload = "rtph265pay" if file.endswith(".h265.mp4") else "rtph264pay"
    made.set_launch(f'( filesrc location="{file}" ! qtdemux ! {payload} name=pay0 pt=96 config-interval=-1 )')
    if is_locked:
        permissions = GstRtspServer.RTSPPermissions()
        for what in ("media.factory.access", "media.factory.construct"):
            permissions.add_permission_for_role(ROLE, what, True)
        made.set_permissions(permissions)
    return made


def lock(server, user, password):
    token = GstRtspServer.RTSPToken()
    token.set_string("media.factory.role", ROLE)
    auth = GstRtspServer.RTSPAuth()
    auth.set_supported_methods(GstRtsp.RTSPAuthMethod.DIGEST)
    auth.add_digest(user, password, token)
    server.set_auth(auth)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port")
    parser.add_argument("--user")
    parser.add_argument("--password")
    parser.add_argument("streams", nargs="+")
    args = parser.parse_args()
    Gst.init(None)
    server = GstRtspServer.RTSPServer()
    server.set_address("127.0.0.1")
    server.set_service(args.port)
    if args.user:
        lock(server, args.user, args.password)
    for stream in args.streams:
        path, file = stream.split("=", 1)
        server.get_mount_points().add_factory(path, factory(file, bool(args.user)))
    if not server.attach(None):
        raise SystemExit(f"port {args.port} is taken")
    print("ready", flush=True)
    GLib.MainLoop().run()


main()
