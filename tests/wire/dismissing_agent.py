# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs a command for a user who closes each of polkit's dialogues: dismissing_agent.py COMMAND…

An agent of polkit, as desktops have one (org.freedesktop.PolicyKit1.AuthenticationAgent).
"""

import os
import pathlib
import sys

from gi.repository import Gio, GLib

PATH = "/agent"
INTERFACE = """<node><interface name="org.freedesktop.PolicyKit1.AuthenticationAgent">
<method name="BeginAuthentication">
<arg type="s" direction="in"/><arg type="s" direction="in"/><arg type="s" direction="in"/>
<arg type="a{ss}" direction="in"/><arg type="s" direction="in"/>
<arg type="a(sa{sv})" direction="in"/></method>
<method name="CancelAuthentication"><arg type="s" direction="in"/></method>
</interface></node>"""


def start_time(pid):
    stat = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii")
    return int(stat.rpartition(")")[2].split()[19])


def called(_bus, _sender, _path, _interface, _method, _arguments, call):
    call.return_dbus_error("org.freedesktop.PolicyKit1.Error.Cancelled", "closed by the user")


def command(go):
    """Another process, so that it has an agent from its first call on."""
    os.read(go, 1)
    os.execvp(sys.argv[1], sys.argv[1:])


def main():
    go, say_go = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(say_go)
        command(go)
    bus = Gio.bus_get_sync(Gio.BusType.SYSTEM)
    bus.register_object(PATH, Gio.DBusNodeInfo.new_for_xml(INTERFACE).interfaces[0], called,
                        None, None)
    subject = ("unix-process", {"pid": GLib.Variant("u", child),
                                "start-time": GLib.Variant("t", start_time(child)),
                                "uid": GLib.Variant("i", os.getuid())})
    bus.call_sync("org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority",
                  "org.freedesktop.PolicyKit1.Authority", "RegisterAuthenticationAgent",
                  GLib.Variant("((sa{sv})ss)", (subject, "C", PATH)), None,
                  Gio.DBusCallFlags.NONE, -1, None)
    loop = GLib.MainLoop()
    GLib.child_watch_add(GLib.PRIORITY_DEFAULT, child, lambda *_: loop.quit())
    os.close(say_go)
    loop.run()


main()
