# SPDX-License-Identifier: LGPL-2.1-or-later
"""A domain's life, step by step: which states and which events a driver tells of."""

import libvirt

PAUSED, AUTODESTROY = libvirt.VIR_DOMAIN_START_PAUSED, libvirt.VIR_DOMAIN_START_AUTODESTROY
LIVE, CONFIG = libvirt.VIR_DOMAIN_AFFECT_LIVE, libvirt.VIR_DOMAIN_AFFECT_CONFIG
NAME, OTHER = "flow", "renamed"

# (what, call with the connection, the domain or None, a good definition, one that cannot start).
STEPS = [
    ("define", lambda c, d, good, bad: c.defineXML(good)),
    ("suspend what is off", lambda c, d, good, bad: d.suspend()),
    ("start", lambda c, d, good, bad: d.create()),
    ("start what runs", lambda c, d, good, bad: d.create()),
    ("resume what runs", lambda c, d, good, bad: d.resume()),
    ("suspend", lambda c, d, good, bad: d.suspend()),
    ("suspend what is paused", lambda c, d, good, bad: d.suspend()),
    ("resume", lambda c, d, good, bad: d.resume()),
    ("title of what runs", lambda c, d, good, bad: d.setMetadata(1, "One", None, None, LIVE)),
    ("title to come", lambda c, d, good, bad: d.setMetadata(1, "Two", None, None, CONFIG)),
    ("rename what runs", lambda c, d, good, bad: d.rename(OTHER)),
    ("define what runs", lambda c, d, good, bad: c.defineXML(d.XMLDesc(2))),
    ("destroy what is paused", lambda c, d, good, bad: (d.suspend(), d.destroy())),
    ("destroy what is off", lambda c, d, good, bad: d.destroy()),
    ("start paused", lambda c, d, good, bad: d.createWithFlags(PAUSED)),
    ("resume what was started paused", lambda c, d, good, bad: d.resume()),
    ("undefine what runs", lambda c, d, good, bad: d.undefine()),
    ("undefine what is transient", lambda c, d, good, bad: d.undefine()),
    ("destroy what was undefined", lambda c, d, good, bad: d.destroy()),
    ("define what cannot start", lambda c, d, good, bad: c.defineXML(bad)),
    ("start what cannot", lambda c, d, good, bad: d.create()),
    ("rename", lambda c, d, good, bad: d.rename(OTHER)),
    ("rename back", lambda c, d, good, bad: c.lookupByName(OTHER).rename(NAME)),
    ("undefine", lambda c, d, good, bad: d.undefine()),
    ("create", lambda c, d, good, bad: c.createXML(good)),
    ("create what runs", lambda c, d, good, bad: c.createXML(good)),
    ("destroy what is transient", lambda c, d, good, bad: d.destroy()),
    ("create again", lambda c, d, good, bad: c.createXML(good)),
    ("define what is transient", lambda c, d, good, bad: c.defineXML(d.XMLDesc(2))),
    ("destroy what was transient", lambda c, d, good, bad: d.destroy()),
    ("undefine what was transient", lambda c, d, good, bad: d.undefine()),
    ("create paused", lambda c, d, good, bad: c.createXML(good, PAUSED)),
    ("destroy what was created paused", lambda c, d, good, bad: d.destroyFlags(1)),
    ("create what cannot start", lambda c, d, good, bad: c.createXML(bad)),
    ("create what is wrong", lambda c, d, good, bad: c.createXML(good.replace("<vcpu", "<vcp"))),
    ("define at last", lambda c, d, good, bad: c.defineXML(good)),
    ("undefine at last", lambda c, d, good, bad: d.undefine()),
]


def look_up(connection):
    try:
        return connection.lookupByName(NAME)
    except libvirt.libvirtError:
        return None


def state_of(domain):
    if domain is None:
        return "no domain"
    return [*domain.state(), domain.isPersistent(), domain.ID() > 0]


def live(connection, good, bad, run_until):
    """Goes through STEPS; returns what came of each, and the events of all, in their order."""
    events = []
    connection.domainEventRegisterAny(
        None, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
        lambda _connection, domain, what, detail, _: events.append([domain.name(), what, detail]),
        None)
    connection.domainEventRegisterAny(
        None, libvirt.VIR_DOMAIN_EVENT_ID_METADATA_CHANGE,
        lambda _connection, domain, kind, uri, _: events.append([domain.name(), "metadata", kind]),
        None)
    came = {}
    for what, call in STEPS:
        try:
            call(connection, look_up(connection), good, bad)
            said = "done"
        except libvirt.libvirtError as error:
            said = error.get_error_code()
        came[what] = [said, state_of(look_up(connection))]
    last = [NAME, libvirt.VIR_DOMAIN_EVENT_UNDEFINED, libvirt.VIR_DOMAIN_EVENT_UNDEFINED_REMOVED]
    run_until(lambda: events[-1:] == [last])
    return came, events
