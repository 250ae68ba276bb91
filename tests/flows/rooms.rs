//! Conference rooms: into one, out of one, on hold, and by transfer.

use crate::ladder::play_in;
use crate::world::Setting;

fn rooms(setting: &mut Setting) {
    setting.plan = include_str!("../../dialplans/first.toml").to_owned();
}

fn small_rooms(setting: &mut Setting) {
    rooms(setting);
    setting.settings.limits.room_members = 2;
    setting.settings.limits.rooms = 1;
}

#[test]
fn three_meet_and_leave() {
    play_in(
        rooms,
        "
        alice calls *881 (sdp PCMU)
        tandem -> alice 200 [sdp PCMU/0 sendrecv]
        alice -> tandem ACK
        media alice [send PCMU/0 | receive PCMU/0 | from room]
        bob calls *881 (sdp G722)
        tandem -> bob 200 [sdp G722/9 sendrecv]
        bob -> tandem ACK
        media bob [send G722/9 | from room]
        carol calls *882 (sdp PCMU)
        tandem -> carol 200
        carol -> tandem ACK
        alice -> tandem BYE
        tandem -> alice 200
        record 1 [status 200 | rule Conference room | legs 2 | leg 1 conference:88-1 200 | cause the caller hung up]
        media alice [closed]
        media bob [from room]
        bob -> tandem BYE
        tandem -> bob 200
        carol -> tandem BYE
        tandem -> carol 200
        ",
    );
}

#[test]
fn whoever_holds_is_not_heard() {
    play_in(
        rooms,
        "
        alice calls *881 (sdp PCMU)
        tandem -> alice 200
        alice -> tandem ACK
        alice -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> alice 200 [sdp PCMU/0 recvonly]
        alice -> tandem ACK
        media alice [from muted room]
        alice -> tandem re-INVITE (sdp PCMU)
        tandem -> alice 200 [sdp PCMU/0 sendrecv]
        alice -> tandem ACK
        media alice [from room]
        alice -> tandem BYE
        tandem -> alice 200
        ",
    );
}

#[test]
fn a_room_takes_as_many_as_it_may() {
    play_in(
        small_rooms,
        "
        alice calls *881 (sdp PCMU)
        tandem -> alice 200
        alice -> tandem ACK
        carol calls *882 (sdp PCMU)
        tandem -> carol 503 [phrase Too Many Rooms]
        bob calls *881 (sdp PCMU)
        tandem -> bob 200
        bob -> tandem ACK
        carol -> tandem INVITE *881 (auth | sdp PCMU)
        tandem -> carol 486 [phrase Room Full]
        alice -> tandem BYE
        tandem -> alice 200
        bob -> tandem BYE
        tandem -> bob 200
        carol -> tandem INVITE *882 (auth | sdp PCMU)
        tandem -> carol 200
        carol -> tandem ACK
        carol -> tandem BYE
        tandem -> carol 200
        ",
    );
}

/// The world has two workers, which calls take in turns.
#[test]
fn a_forwarded_caller_comes_to_where_the_room_is() {
    play_in(
        rooms,
        "
        bob registers
        bob calls *72*881 (sdp PCMU)
        tandem -> bob 200
        bob -> tandem ACK
        bob -> tandem BYE
        tandem -> bob 200
        alice calls *881 (sdp PCMU)
        tandem -> alice 200
        alice -> tandem ACK
        carol calls bob (sdp PCMU)
        tandem -> carol 181
        tandem -> carol 200
        carol -> tandem ACK
        media carol [from room]
        media alice [from room]
        carol -> tandem BYE
        tandem -> carol 200
        alice -> tandem BYE
        tandem -> alice 200
        ",
    );
}

#[test]
fn a_caller_is_transferred_into_a_room() {
    play_in(
        rooms,
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200
        alice -> tandem ACK
        bob -> tandem REFER (Refer-To: <sip:*881@tandem.local>)
        tandem -> bob 202
        tandem -> bob NOTIFY [Subscription-State ~ active | body SIP/2.0 100 Trying]
        bob -> tandem 200 NOTIFY
        tandem -> bob NOTIFY [Subscription-State: terminated;reason=noresource | body SIP/2.0 200 OK]
        tandem -> bob BYE
        bob -> tandem 200 NOTIFY
        bob -> tandem 200 BYE
        tandem -> alice INVITE
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        media alice [from room]
        alice -> tandem BYE
        tandem -> alice 200
        ",
    );
}
