//! Called sides that say no, and what the caller hears of it (RFC 3326).

use crate::ladder::play;

/// Alice calls bob, who gives `answer`; she hears `told`.
fn refused(answer: &str, told: &str) {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem {answer}
        tandem -> alice {told}
        "
    ));
}

#[test]
fn a_persons_answer_is_told_as_it_is() {
    refused("486", "486 [phrase Busy Here | Reason: SIP;cause=486;text=\"Busy Here\"]");
    refused("480", "480 [Reason ~ SIP;cause=480]");
    refused("404", "404 [Reason ~ SIP;cause=404]");
    refused("603", "603 [phrase Decline | Reason ~ SIP;cause=603]");
    refused("600", "600");
    refused("410", "410");
    refused("484", "484");
    refused("488", "488");
    refused("403", "403");
}

#[test]
fn what_was_meant_for_us_is_translated() {
    refused("503", "500 [Reason: SIP;cause=503;text=\"Service Unavailable\" | no Retry-After]");
    refused("500", "500");
    refused("401", "500 [Reason ~ SIP;cause=401 | no WWW-Authenticate]");
    refused("407", "500 [Reason ~ SIP;cause=407]");
    refused("302 (Contact: <sip:elsewhere@198.51.100.77>)", "480 [Reason ~ SIP;cause=302 | no Contact]");
    refused("400", "500 [Reason ~ SIP;cause=400]");
    refused("415", "488 [Reason ~ SIP;cause=415]");
    refused("420", "500 [Reason ~ SIP;cause=420]");
    refused("481", "500 [Reason ~ SIP;cause=481]");
    refused("501", "500 [Reason ~ SIP;cause=501]");
    refused("513", "500 [Reason ~ SIP;cause=513]");
}

#[test]
fn the_reason_of_the_called_side_is_kept() {
    refused("486 (Reason: Q.850;cause=17;text=\"User busy\")", "486 [Reason: Q.850;cause=17;text=\"User busy\"]");
    refused("500 (Reason: X.25;cause=1)", "500 [Reason ~ SIP;cause=500]");
}

#[test]
fn a_phrase_that_tells_of_machines_is_not_passed_on() {
    refused("486 (reason Busy at 10.1.2.3)", "486 [phrase Busy Here | Reason: SIP;cause=486;text=\"Busy Here\"]");
    refused("480 (reason Gone fishing)", "480 [phrase Gone fishing | Reason: SIP;cause=480;text=\"Gone fishing\"]");
    refused("486 (Reason: Q.850;cause=17;text=\"sip:bob@pbx.example\")", "486 [Reason: Q.850;cause=17]");
}

#[test]
fn the_books_have_both_answers() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        bob -> tandem 503
        tandem -> alice 500
        record [closed | status 500 | by callee | cause 500 | ringing | never answered | leg 1 user:bob 503 | leg 1 reason Service Unavailable | talk 0s]
        ",
    );
}

#[test]
fn nobody_answers() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 180
        tandem -> alice 180
        wait 181s
        tandem -> alice 180 x3
        tandem -> bob CANCEL x+ [Reason ~ SIP;cause=480]
        tandem -> alice 480
        bob -> tandem 200 CANCEL
        bob -> tandem 487 INVITE
        record [status 480 | by gateway | cause No Answer | leg 1 user:bob 408]
        ",
    );
}

#[test]
fn a_phone_is_out_of_reach() {
    play(
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        wait 33s
        tandem -> bob INVITE x6
        tandem -> alice 480 [Reason ~ SIP;cause=408]
        record [status 480 | by gateway | leg 1 user:bob 408]
        ",
    );
}

#[test]
fn a_connection_breaks_while_it_is_called() {
    play(
        "
        emil registers
        alice calls emil (sdp PCMU)
        tandem -> emil INVITE
        emil is gone
        tandem -> alice 480 [Reason ~ SIP;cause=503]
        record [status 480 | by gateway]
        ",
    );
}

#[test]
fn a_user_without_a_phone_and_one_that_is_not_there() {
    play(
        "
        alice calls bob (sdp PCMU)
        tandem -> alice 480
        record [status 480 | by gateway | legs 1 | cause 480]
        alice -> tandem INVITE nobody (auth | sdp PCMU)
        tandem -> alice 404
        record [status 404 | by gateway | legs 1 | dialled nobody]
        ",
    );
}

#[test]
fn the_next_target_is_tried_when_a_user_is_away() {
    play(
        "
        carol registers
        alice calls *80 (sdp PCMU)
        tandem -> carol INVITE
        carol -> tandem 486
        tandem -> alice 486
        record [legs 2 | leg 1 user:carol 486]
        bob registers
        alice -> tandem INVITE *80 (auth | sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 603
        tandem -> alice 603
        quiet carol
        ",
    );
}
