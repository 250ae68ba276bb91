//! The shapes of the API: every time is RFC 3339 in UTC, every unknown value null.

mod sound;

use crate::admin::json::sound::{hundredths, one_way, one_way_of, report, side, sound, unheard};
use crate::base::time::Wall;
use crate::call::account::forwarding::Forwarding;
use crate::call::record::{CallRecord, LegRecord, StreamRecord};
use crate::call::view::{AddressView, CallView, Closed, MemberView, RegistrationView, RoomView, TrunkView};
use crate::config::settings::User;
use crate::media::command::Report;
use crate::shell::control::{ReloadReport, Status};
use crate::shell::document::{ended_by_text, state_text};
use crate::shell::store::StoredUser;
use serde_json::{Value, json};

pub fn record(record: &CallRecord) -> Value {
    json!({
        "id": record.id,
        "state": state_text(record.state),
        "caller": record.caller,
        "from": record.from,
        "dialled": record.dialled,
        "number": record.number,
        "rule": record.rule,
        "started": time(record.started),
        "ringing": record.ringing.map(time),
        "answered": record.answered.map(time),
        "ended": record.ended.map(time),
        "talk_ms": record.talk_ms,
        "status": known(record.status),
        "ended_by": ended_by_text(record.ended_by),
        "cause": record.cause,
        "one_way": one_way_of(record),
        "legs": record.legs.iter().map(leg).collect::<Vec<_>>(),
    })
}

fn leg(leg: &LegRecord) -> Value {
    json!({
        "target": leg.target,
        "number": leg.number,
        "call_id": leg.call_id,
        "address": leg.address,
        "started": time(leg.started),
        "ringing": leg.ringing.map(time),
        "answered": leg.answered.map(time),
        "status": known(leg.status),
        "reason": leg.reason,
        "codec": leg.codec,
        "srtp": leg.srtp,
        "media": leg.media.as_ref().map(|media| sound(leg.codec.as_deref().unwrap_or_default(), media)),
        "announced": leg.announced.map(|address| address.to_string()),
        "local": leg.local.map(|address| address.to_string()),
        "unheard": leg.unheard.iter().map(unheard).collect::<Vec<_>>(),
        "streams": leg.streams.iter().map(stream).collect::<Vec<_>>(),
        "session_id": leg.session_id,
        "diverted": leg.diverted,
    })
}

fn stream(stream: &StreamRecord) -> Value {
    json!({ "kind": stream.kind, "codec": stream.codec, "media": report(&stream.media) })
}

pub fn call(call: &CallView) -> Value {
    let heard = |codec: &Option<String>, media: Option<&Report>| {
        media.map(|media| sound(codec.as_deref().unwrap_or_default(), media))
    };
    json!({
        "id": call.id,
        "state": call.phase.as_str(),
        "caller": call.caller,
        "from": call.from,
        "dialled": call.dialled,
        "number": call.number,
        "target": call.target,
        "started": time(call.started),
        "answered": call.answered.map(time),
        "caller_codec": call.caller_codec,
        "callee_codec": call.callee_codec,
        "caller_sound": heard(&call.caller_codec, call.caller_sound.as_ref()),
        "callee_sound": heard(&call.callee_codec, call.callee_sound.as_ref()),
        "one_way": call.one_way.as_ref().map(|(silent, stretch)| one_way(*silent, stretch)),
        "silent_side": call.one_way.map(|(silent, _)| side(silent)),
    })
}

pub fn room(room: &RoomView) -> Value {
    json!({
        "name": room.name,
        "since": time(room.since),
        "worker": room.worker,
        "recording": room.recording,
        "members": room.members.iter().map(member).collect::<Vec<_>>(),
    })
}

fn member(member: &MemberView) -> Value {
    json!({
        "id": member.id,
        "who": member.who,
        "from": member.from,
        "since": time(member.since),
        "talking": member.talks,
        "level_db": member.level_db,
        "muted": member.muted,
        "deaf": member.deaf,
        "gain_db": member.gain_db,
        "missing_frames": member.missing_frames,
    })
}

fn address(address: &AddressView) -> Value {
    json!({ "address": address.address, "out_for_s": address.out_for_s, "why": address.why })
}

pub fn trunk(trunk: &TrunkView) -> Value {
    json!({
        "name": trunk.name,
        "host": trunk.host,
        "up": trunk.up,
        "state": trunk.state,
        "addresses": trunk.addresses.iter().map(address).collect::<Vec<_>>(),
        "lookup_failing": trunk.lookup_failing,
        "registered_until": trunk.registered_until.map(time),
        "calls": trunk.calls,
        "max_calls": trunk.max_calls,
        "last_answer": trunk.last_answer,
        "last_answer_at": trunk.last_answer_at.map(time),
        "attempts": trunk.statistics.attempts,
        "answered": trunk.statistics.answered,
        "answer_seizure_ratio": trunk.statistics.answer_seizure_ratio().map(hundredths),
        "mean_call_s": trunk.statistics.mean_call_s().map(hundredths),
        "post_dial_ms": trunk.statistics.post_dial_ms().map(f64::round),
        "mos_received": trunk.statistics.mos().received.map(hundredths),
        "mos_sent": trunk.statistics.mos().sent.map(hundredths),
    })
}

pub fn registration(registration: &RegistrationView) -> Value {
    json!({
        "user": registration.user,
        "contact": registration.contact,
        "address": registration.address,
        "expires_in_s": registration.expires_in_s,
        "user_agent": registration.user_agent,
    })
}

/// A user of the store. `realm` is today's: digests that were made for another fit no more.
pub fn stored_user(user: &StoredUser, realm: &str) -> Value {
    json!({
        "name": user.name,
        "number": user.number,
        "country": user.country,
        "display_name": user.display_name,
        "source": "store",
        "password_fits": user.realm == realm,
    })
}

/// A user of the configuration file.
pub fn configured_user(user: &User) -> Value {
    json!({
        "name": user.name,
        "number": user.number,
        "country": user.country,
        "display_name": user.display_name,
        "source": "configuration",
        "password_fits": true,
    })
}

/// Where a user's calls go.
pub fn forwarding(user: &str, forwarding: &Forwarding) -> Value {
    json!({
        "user": user,
        "always": forwarding.always,
        "busy": forwarding.busy,
        "no_answer": forwarding.no_answer,
        "after_s": forwarding.after.map(|after| after.as_secs()),
        "do_not_disturb": forwarding.do_not_disturb,
    })
}

pub fn status(status: &Status) -> Value {
    json!({
        "version": status.version,
        "started": time(status.started),
        "uptime_s": status.uptime.as_secs(),
        "accepting": status.closed.is_none(),
        "draining": status.closed == Some(Closed::Draining),
        "calls": status.calls,
        "max_calls": status.max_calls,
        "registrations": status.registrations,
        "trunks_up": status.trunks_up,
        "trunks": status.trunks,
        "workers": status.workers,
        "listening": status.listening,
    })
}

pub fn reload(report: &ReloadReport) -> Value {
    json!({
        "rules": report.rules,
        "users": report.users,
        "trunks": report.trunks,
        "after_restart": report.after_restart,
    })
}

fn time(wall: Wall) -> String {
    wall.rfc3339()
}

/// A status of 0 stands for none.
fn known(status: u16) -> Option<u16> {
    (status != 0).then_some(status)
}
