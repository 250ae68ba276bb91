//! Calls sent on by the one they are for: the forwarding services of RFC 5359 §2.5 to §2.7, do-not-disturb, and what keeps
//! them from going round in circles.

use crate::ladder::{play, play_in};
use crate::world::Setting;
use tandem::config::identity::ForwardsIn;
use tandem_codecs::Codec;

/// One codec, so that an INVITE with all its history still fits into a datagram.
fn trusting(setting: &mut Setting) {
    setting.trunk("acme").codecs = vec![Codec::Pcmu];
    let identity = &mut setting.trunk("acme").identity;
    identity.trusted = true;
    identity.forwards_in = ForwardsIn { diversion: true, history_info: true };
}

#[test]
fn call_forwarding_unconditional() {
    play(
        "
        bob registers
        carol registers
        bob forwards always to carol
        alice calls bob (sdp PCMU)
        tandem -> alice 181
        tandem -> carol INVITE [To ~ sip:carol@tandem.local | From ~ \"Alice\" <sip:+15550100001@tandem.local> | Diversion: <sip:bob@tandem.local>;reason=unconditional;counter=1;privacy=off | History-Info: <sip:bob@tandem.local>;index=1, <sip:carol@tandem.local;cause=302>;index=1.1;mp=1]
        carol -> tandem 180
        tandem -> alice 180 [P-Asserted-Identity: <sip:carol@tandem.local>]
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        tandem -> alice 200 [sdp PCMU/0]
        alice -> tandem ACK
        quiet bob
        media alice [send PCMU/0 | from carol]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> carol BYE
        carol -> tandem 200
        record [status 200 | by caller | dialled bob | legs 2 | leg 1 user:carol 200 | leg 1 diverted user:bob, unconditional]
        ",
    );
}

#[test]
fn call_forwarding_busy() {
    play(
        "
        bob registers
        carol registers
        bob forwards busy to carol
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE [no Diversion | no History-Info]
        bob -> tandem 486
        tandem -> alice 181
        tandem -> carol INVITE [Diversion: <sip:bob@tandem.local>;reason=user-busy;counter=1;privacy=off | History-Info ~ Reason=SIP%3Bcause%3D486]
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        tandem -> alice 200
        alice -> tandem ACK
        carol -> tandem BYE
        tandem -> carol 200
        tandem -> alice BYE
        alice -> tandem 200
        record [status 200 | by callee | legs 3 | leg 1 user:bob 486 | leg 2 user:carol 200 | leg 2 diverted user:bob, user-busy]
        ",
    );
}

#[test]
fn call_forwarding_no_answer() {
    play(
        "
        bob registers
        carol registers
        bob forwards no_answer to carol
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        wait 19s
        quiet bob alice carol
        wait 1s
        tandem -> bob CANCEL
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        tandem -> alice 181
        tandem -> carol INVITE [Diversion ~ reason=no-answer | History-Info ~ carol@tandem.local;cause=408]
        carol -> tandem 180
        tandem -> alice 180
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        tandem -> alice 200
        alice -> tandem ACK
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> carol BYE
        carol -> tandem 200
        record [legs 3 | leg 1 user:bob 408 | leg 1 diverted | leg 2 diverted user:bob, no-answer]
        ",
    );
}

#[test]
fn a_time_of_ones_own() {
    play(
        "
        bob registers
        carol registers
        bob forwards no_answer to carol 10s
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        wait 10s
        tandem -> bob CANCEL
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        tandem -> alice 181
        tandem -> carol INVITE
        carol -> tandem 486
        tandem -> alice 486
        record [status 486 | by callee]
        ",
    );
}

#[test]
fn a_phone_that_is_away_counts_as_one_that_is_not_answered() {
    play(
        "
        carol registers
        bob forwards no_answer to carol
        alice calls bob (sdp PCMU)
        tandem -> alice 181
        tandem -> carol INVITE [Diversion ~ reason=unavailable]
        carol -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn a_caller_gives_up_while_the_call_is_forwarded() {
    play(
        "
        carol registers
        bob forwards always to carol
        alice calls bob (sdp PCMU)
        tandem -> alice 181
        tandem -> carol INVITE
        carol -> tandem 180
        tandem -> alice 180
        alice -> tandem CANCEL
        tandem -> alice 200
        tandem -> alice 487
        tandem -> carol CANCEL
        carol -> tandem 200 CANCEL
        carol -> tandem 487 INVITE
        record [status 487 | by caller]
        ",
    );
}

#[test]
fn do_not_disturb() {
    play(
        "
        bob registers
        carol registers
        bob is not to be disturbed
        alice calls bob (sdp PCMU)
        tandem -> alice 480
        quiet bob
        record [status 480 | by gateway | cause bob does not want to be disturbed]
        bob forwards busy to carol
        alice -> tandem INVITE bob (auth | sdp PCMU)
        tandem -> alice 181
        tandem -> carol INVITE [Diversion ~ reason=do-not-disturb]
        carol -> tandem 486
        tandem -> alice 486
        quiet bob
        ",
    );
}

#[test]
fn a_rule_goes_on_where_a_forward_leads_nowhere() {
    play(
        "
        carol registers
        bob forwards always to dora
        alice calls *80 (sdp PCMU)
        tandem -> alice 181
        tandem -> carol INVITE [no Diversion | no History-Info]
        carol -> tandem 486
        tandem -> alice 486
        record [legs 2 | leg 1 user:carol 486 | leg 1 diverted]
        bob is a user again
        bob is not to be disturbed
        alice -> tandem INVITE *80 (auth | sdp PCMU)
        tandem -> carol INVITE
        carol -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn the_rights_are_those_of_who_forwards() {
    play_in(
        trusting,
        "
        alice forwards always to +14155550100
        acme -> tandem INVITE +15550100001 (From: <sip:+14155550199@198.51.100.11> | sdp PCMU)
        tandem -> acme 181
        tandem -> acme INVITE [uri sip:+14155550100@198.51.100.11 | From ~ <sip:+14155550199@tandem.local> | Diversion: <sip:+15550100001@tandem.local>;reason=unconditional;counter=1;privacy=off | Max-Forwards: 68]
        acme -> tandem 503 INVITE
        tandem -> globex INVITE [no Diversion | no History-Info]
        globex -> tandem 486
        tandem -> acme 486
        record [caller trunk:acme | legs 3 | leg 1 trunk:acme 503 | leg 2 trunk:globex 486 | leg 2 diverted user:alice, unconditional]
        bob forwards always to *66
        alice calls bob (sdp PCMU)
        tandem -> alice 480
        record [status 480 | cause which the dialplan doesn't let that user call]
        ",
    );
}

#[test]
fn a_forward_that_is_not_possible_leaves_the_answer_as_it_was() {
    play(
        "
        bob registers
        bob forwards busy to *66
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 486
        tandem -> alice 486
        record [status 486 | by callee | cause which the dialplan doesn't let that user call]
        ",
    );
}

#[test]
fn a_forward_to_someone_who_is_away_is_in_the_books() {
    play(
        "
        bob forwards always to dora
        alice calls bob (sdp PCMU)
        tandem -> alice 181
        tandem -> alice 480
        record [status 480 | legs 1 | cause sent on (user:bob, unconditional): dora has no phone registered]
        ",
    );
}

#[test]
fn forwards_in_a_circle() {
    play(
        "
        bob forwards always to carol
        carol forwards always to bob
        alice calls bob (sdp PCMU)
        tandem -> alice 181
        tandem -> alice 181
        tandem -> alice 482
        record [status 482 | by gateway | cause came back from there]
        ",
    );
}

#[test]
fn more_forwards_than_the_limit() {
    play_in(
        |setting| setting.settings.limits.forwards = 2,
        "
        bob forwards always to carol
        carol forwards always to dora
        dora forwards always to emil
        alice calls bob (sdp PCMU)
        tandem -> alice 181
        tandem -> alice 181
        tandem -> alice 483
        record [status 483 | cause forwarded too often]
        acme -> tandem INVITE bob (sdp PCMU | Diversion: <tel:+1555>;reason=unconditional;counter=2)
        tandem -> acme 483
        alice -> tandem INVITE bob (auth | sdp PCMU | Max-Forwards: 1)
        tandem -> alice 483
        ",
    );
}

#[test]
fn a_call_that_comes_back_as_a_new_one_ends_at_the_limit() {
    play_in(
        |setting| setting.settings.limits.forwarded_calls = 1,
        "
        alice forwards always to +14155550100
        bob calls +15550100001 (sdp PCMU)
        tandem -> bob 181
        tandem -> acme INVITE
        globex -> tandem INVITE +15550100001 (sdp PCMU)
        tandem -> globex 480
        record [status 480 | cause too many]
        acme -> tandem 486
        tandem -> bob 486
        bob -> tandem INVITE +15550100001 (auth | sdp PCMU)
        tandem -> bob 181
        tandem -> acme INVITE
        acme -> tandem 486
        tandem -> bob 486
        ",
    );
}

#[test]
fn what_a_trusted_trunk_says_of_forwards_goes_on() {
    play_in(
        trusting,
        "
        carol registers
        bob forwards busy to +14155550100
        bob registers
        acme -> tandem INVITE bob (sdp PCMU | Diversion: <sip:+14155550177@198.51.100.11>;reason=no-answer;counter=1)
        tandem -> bob INVITE [Diversion: <sip:+14155550177@tandem.local>;reason=no-answer;counter=1;privacy=off | History-Info ~ <sip:bob@tandem.local;cause=408>;index=1.1;mp=1]
        bob -> tandem 486
        tandem -> acme 181
        tandem -> acme INVITE [Diversion: <sip:bob@tandem.local>;reason=user-busy;counter=1;privacy=off | Diversion: <sip:+14155550177@tandem.local>;reason=no-answer;counter=1;privacy=off | History-Info ~ ;cause=486>;index=1.1.1;mp=1.1]
        acme -> tandem 486 INVITE
        tandem -> acme 486
        acme -> tandem INVITE carol (sdp PCMU | Privacy: history | Diversion: <sip:+14155550177@h>;reason=no-answer)
        tandem -> carol INVITE [Diversion: <sip:anonymous@anonymous.invalid>;reason=no-answer;counter=1;privacy=full | History-Info ~ <sip:anonymous@anonymous.invalid?Reason=SIP%3Bcause%3D408>;index=1]
        carol -> tandem 486
        tandem -> acme 486
        globex -> tandem INVITE carol (sdp PCMU | Diversion: <sip:+14155550177@h>;reason=no-answer)
        tandem -> carol INVITE [no Diversion | no History-Info]
        carol -> tandem 486
        tandem -> globex 486
        ",
    );
}

/// The first answer that the caller acknowledges has our offer (RFC 3262 §5), and a 181 would have none.
#[test]
fn a_caller_who_left_the_offer_to_us_and_acknowledges_hears_of_no_forward() {
    play(
        "
        carol registers
        bob forwards always to carol
        alice calls bob (Require: 100rel)
        tandem -> carol INVITE
        carol -> tandem 180
        tandem -> alice 180 [Require: 100rel | sdp first=opus]
        alice -> tandem PRACK (sdp PCMU)
        tandem -> alice 200 PRACK
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        tandem -> alice 200 [no sdp]
        alice -> tandem ACK
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> carol BYE
        carol -> tandem 200
        ",
    );
}
