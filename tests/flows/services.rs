//! The services of RFC 5359 as they look through this gateway, which stands between the two phones of each call: what a
//! phone asks of its peer, it asks of us. Forwarding has a file of its own.
//!
//! Left out, since they need what isn't here: a third party that joins (the Join header of RFC 3911 is refused where it is
//! required), a park server, and automatic redial, whose dialog events are another part's.

use crate::ladder::{play, play_in};

/// Bob holds alice, who is told so.
const BOB_HOLDS: &str = "
    bob -> tandem re-INVITE (sdp PCMU sendonly)
    tandem -> bob 200 [sdp PCMU recvonly]
    bob -> tandem ACK
    tandem -> alice INVITE [sdp first=PCMU sendonly]
    alice -> tandem 200 (sdp PCMU recvonly)
    tandem -> alice ACK
";

#[test]
fn call_hold() {
    play(&format!(
        "
        alice talks to bob (PCMU)
        {BOB_HOLDS}
        media alice [send PCMU/0 | receive nothing | from bob]
        bob -> tandem re-INVITE (sdp PCMU)
        tandem -> bob 200 [sdp PCMU]
        bob -> tandem ACK
        tandem -> alice INVITE [sdp first=PCMU]
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        media alice [send PCMU/0 | receive PCMU/0]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        "
    ));
}

#[test]
fn consultation_hold() {
    play(&format!(
        "
        alice talks to bob (PCMU)
        {BOB_HOLDS}
        bob keeps line one
        bob talks to carol (PCMU)
        wait 5s
        carol -> tandem BYE
        tandem -> carol 200
        tandem -> bob BYE
        bob -> tandem 200
        bob takes line one
        bob -> tandem re-INVITE (sdp PCMU)
        tandem -> bob 200 [sdp PCMU]
        bob -> tandem ACK
        tandem -> alice INVITE [sdp first=PCMU]
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        media alice [from bob | send PCMU/0 | receive PCMU/0]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        "
    ));
}

#[test]
fn music_on_hold() {
    play_in(
        |setting| setting.settings.media.hold_music = Some("hold.wav".to_owned()),
        &format!(
            "
            alice talks to bob (PCMU)
            {BOB_HOLDS}
            media alice [from bob]
            file hold.wav loaded
            media alice [from loop | send PCMU/0]
            quiet alice
            bob -> tandem re-INVITE (sdp PCMU)
            tandem -> bob 200
            bob -> tandem ACK
            tandem -> alice INVITE [sdp first=PCMU]
            alice -> tandem 200 (sdp PCMU)
            tandem -> alice ACK
            media alice [from bob]
            bob -> tandem re-INVITE (sdp PCMU inactive)
            tandem -> bob 200 [sdp PCMU inactive]
            bob -> tandem ACK
            tandem -> alice INVITE [sdp first=PCMU sendonly]
            alice -> tandem 200 (sdp PCMU recvonly)
            tandem -> alice ACK
            media alice [from loop | send PCMU/0]
            media bob [send nothing]
            alice -> tandem BYE
            tandem -> alice 200
            tandem -> bob BYE
            bob -> tandem 200
            "
        ),
    );
}

#[test]
fn all_who_are_held_while_the_music_is_read_hear_it() {
    play_in(
        |setting| setting.settings.media.hold_music = Some("hold.wav".to_owned()),
        &format!(
            "
            alice talks to bob (PCMU)
            carol talks to dora (PCMU)
            {BOB_HOLDS}
            dora -> tandem re-INVITE (sdp PCMU sendonly)
            tandem -> dora 200
            dora -> tandem ACK
            tandem -> carol INVITE
            carol -> tandem 200 (sdp PCMU recvonly)
            tandem -> carol ACK
            file hold.wav loaded
            media alice [from loop | send PCMU/0]
            media carol [from loop | send PCMU/0]
            alice -> tandem BYE
            tandem -> alice 200
            tandem -> bob BYE
            bob -> tandem 200
            carol -> tandem BYE
            tandem -> carol 200
            tandem -> dora BYE
            dora -> tandem 200
            "
        ),
    );
}

#[test]
fn music_that_cannot_be_read_leaves_the_hold_as_it_is() {
    play_in(
        |setting| setting.settings.media.hold_music = Some("hold.wav".to_owned()),
        &format!(
            "
            alice talks to bob (PCMU)
            {BOB_HOLDS}
            file hold.wav missing
            media alice [from bob | send PCMU/0]
            quiet alice
            alice -> tandem BYE
            tandem -> alice 200
            tandem -> bob BYE
            bob -> tandem 200
            "
        ),
    );
}

#[test]
fn unattended_transfer() {
    play(&format!(
        "
        carol registers
        alice talks to bob (PCMU)
        {BOB_HOLDS}
        bob -> tandem REFER (Refer-To: <sip:carol@tandem.local> | Referred-By: <sip:bob@tandem.local>)
        tandem -> bob 202
        tandem -> bob NOTIFY [body SIP/2.0 100 Trying]
        bob -> tandem 200
        tandem -> carol INVITE [Referred-By: <sip:bob@tandem.local>]
        carol -> tandem 180
        tandem -> bob NOTIFY [body SIP/2.0 180 Ringing]
        bob -> tandem 200
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        tandem -> bob NOTIFY [body SIP/2.0 200 OK]
        tandem -> bob BYE
        bob -> tandem 200
        bob -> tandem 200
        tandem -> alice INVITE [sdp first=PCMU sendrecv]
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        media alice [from carol | send PCMU/0 | receive PCMU/0]
        carol -> tandem BYE
        tandem -> carol 200
        tandem -> alice BYE
        alice -> tandem 200
        "
    ));
}

#[test]
fn unattended_transfer_to_somebody_who_does_not_answer() {
    play_in(
        |setting| setting.settings.sip.ring_timeout = std::time::Duration::from_secs(10),
        &format!(
            "
            carol registers
            alice talks to bob (PCMU)
            {BOB_HOLDS}
            bob -> tandem REFER (Refer-To: <sip:carol@tandem.local>)
            tandem -> bob 202
            tandem -> bob NOTIFY
            bob -> tandem 200
            tandem -> carol INVITE
            carol -> tandem 180
            tandem -> bob NOTIFY
            bob -> tandem 200
            wait 10s
            tandem -> carol CANCEL
            carol -> tandem 200 CANCEL
            carol -> tandem 487 INVITE
            tandem -> bob NOTIFY [body ~ SIP/2.0 480 | Subscription-State ~ terminated]
            bob -> tandem 200
            bob -> tandem re-INVITE (sdp PCMU)
            tandem -> bob 200
            bob -> tandem ACK
            tandem -> alice INVITE [sdp first=PCMU]
            alice -> tandem 200 (sdp PCMU)
            tandem -> alice ACK
            media alice [from bob | send PCMU/0 | receive PCMU/0]
            alice -> tandem BYE
            tandem -> alice 200
            tandem -> bob BYE
            bob -> tandem 200
            "
        ),
    );
}

/// The target's phone that is meant, and no other one of the same user (RFC 5627).
#[test]
fn transfer_to_the_targets_instance() {
    play(
        "
        bob registers
        bob2 -> tandem REGISTER
        tandem -> bob2 401
        bob2 -> tandem REGISTER (auth | Contact: <sip:secretof-bob2-x@192.0.2.22:5060>;+sip.instance=\"<urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>\" | Supported: gruu)
        tandem -> bob2 200
        alice talks to carol (PCMU)
        carol -> tandem REFER (Refer-To: <sip:bob@tandem.local;gr=urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6>)
        tandem -> carol 202
        tandem -> carol NOTIFY
        carol -> tandem 200
        tandem -> bob2 INVITE
        quiet bob
        bob2 -> tandem 200 (sdp PCMU)
        tandem -> bob2 ACK
        tandem -> carol NOTIFY [body SIP/2.0 200 OK]
        tandem -> carol BYE
        carol -> tandem 200
        carol -> tandem 200
        tandem -> alice INVITE
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob2 BYE
        bob2 -> tandem 200
        ",
    );
}

#[test]
fn attended_transfer() {
    play(&format!(
        "
        alice talks to bob (PCMU)
        {BOB_HOLDS}
        bob keeps line one
        bob talks to carol (PCMU)
        bob -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> bob 200
        bob -> tandem ACK
        tandem -> carol INVITE [sdp first=PCMU sendonly]
        carol -> tandem 200 (sdp PCMU recvonly)
        tandem -> carol ACK
        bob keeps line two
        bob takes line one
        bob -> tandem REFER (Refer-To: <sip:carol@tandem.local?Replaces={{escaped dialog of bob two}}>)
        tandem -> bob 202
        tandem -> bob NOTIFY [body SIP/2.0 100 Trying]
        tandem -> bob BYE
        tandem -> bob NOTIFY [body SIP/2.0 200 OK]
        tandem -> bob BYE
        bob -> tandem 200
        bob -> tandem 200
        bob -> tandem 200
        bob -> tandem 200
        tandem -> alice INVITE [sdp first=PCMU sendrecv]
        tandem -> carol INVITE [sdp first=PCMU sendrecv]
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        media alice [from carol | send PCMU/0 | receive PCMU/0]
        media carol [from alice | send PCMU/0 | receive PCMU/0]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> carol BYE
        carol -> tandem 200
        record 1 [by callee | cause user:bob transferred user:alice to carol]
        record 2 [leg 0 user:alice 200 | leg 1 user:carol 200 | leg 2 user:bob 200]
        "
    ));
}

#[test]
fn three_way_conference_that_the_phone_mixes() {
    play(&format!(
        "
        alice talks to bob (PCMU)
        {BOB_HOLDS}
        bob keeps line one
        bob talks to carol (PCMU)
        bob keeps line two
        bob takes line one
        bob -> tandem re-INVITE (sdp PCMU port=4010)
        tandem -> bob 200
        bob -> tandem ACK
        tandem -> alice INVITE [sdp first=PCMU]
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        media alice [from bob | send PCMU/0 | receive PCMU/0]
        media carol [send PCMU/0 | receive PCMU/0]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        carol -> tandem BYE
        tandem -> carol 200
        tandem -> bob BYE
        bob -> tandem 200
        "
    ));
}

#[test]
fn a_third_party_cannot_join_by_itself() {
    play(
        "
        alice talks to bob (PCMU)
        carol -> tandem INVITE bob (sdp PCMU | Require: join | Join: {dialog of bob})
        tandem -> carol 420 [Unsupported: join]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

#[test]
fn find_me_and_single_line_extension() {
    play(
        "
        bob registers
        bob2 registers
        bob3 registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        tandem -> bob2 INVITE
        tandem -> bob3 INVITE
        bob -> tandem 180
        tandem -> alice 180
        bob2 -> tandem 180
        bob3 -> tandem 486
        bob2 -> tandem 200 (sdp PCMU)
        tandem -> bob2 ACK
        tandem -> bob CANCEL [Reason ~ elsewhere]
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        tandem -> alice 200
        alice -> tandem ACK
        # The line is picked up at another of its phones.
        bob calls alice (sdp PCMU | Replaces: {dialog of bob2})
        tandem -> bob 200
        bob -> tandem ACK
        tandem -> bob2 BYE
        bob2 -> tandem 200
        media alice [from bob]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}

#[test]
fn call_pickup() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        carol calls bob (sdp PCMU | Replaces: {dialog of bob};early-only)
        tandem -> carol 200
        carol -> tandem ACK
        tandem -> bob CANCEL
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        tandem -> alice 200
        alice -> tandem ACK
        carol -> tandem BYE
        tandem -> carol 200
        tandem -> alice BYE
        alice -> tandem 200
        ",
    );
}

#[test]
fn incoming_and_outgoing_call_screening() {
    play(
        "
        stranger -> tandem INVITE sip:bob@192.0.2.1 (sdp PCMU)
        tandem -> stranger 401
        alice calls *66 (sdp PCMU)
        tandem -> alice 603 [phrase Not from here]
        ",
    );
}

/// A controller that isn't in the call has no say in it: to have two parties called is the API's affair.
#[test]
fn click_to_dial() {
    play(
        "
        bob registers
        alice -> tandem REFER bob (Refer-To: <sip:carol@tandem.local>)
        tandem -> alice 403 [phrase Only Within A Call]
        quiet bob
        record none
        ",
    );
}

#[test]
fn automatic_redial_has_to_ask_for_dialog_events() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 486
        tandem -> alice 486
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200
        alice -> tandem ACK
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}
