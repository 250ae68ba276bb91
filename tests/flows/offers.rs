//! The examples of RFC 4317, whose sections the tests name, with us between alice and bob.

use crate::ladder::play;

const GOODBYE: &str = "
    alice -> tandem BYE
    tandem -> alice 200
    tandem -> bob BYE
    bob -> tandem 200
";

/// `offer` is alice's, `onward` what bob is offered, `answer` his, and `back` what alice is answered.
fn exchange(offer: &str, onward: &str, answer: &str, back: &str, then: &str) {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp {offer})
        tandem -> bob INVITE [sdp {onward}]
        bob -> tandem 200 (sdp {answer})
        tandem -> bob ACK
        tandem -> alice 200 [sdp {back}]
        alice -> tandem ACK
        {then}
        {GOODBYE}"
    ));
}

#[test]
fn section_2_1_audio_and_video_one() {
    exchange(
        "PCMU PCMA iLBC; video H261 MPV",
        "PCMU/0 PCMA/8 iLBC/97 opus/96 G722/9; video H261/31 MPV/32",
        "PCMU; video MPV",
        "PCMU/0; video MPV/32",
        "media alice video [pass 32>32]",
    );
}

#[test]
fn section_2_2_audio_and_video_two() {
    exchange(
        "PCMU PCMA iLBC; video H261 MPV",
        "PCMU/0 PCMA/8 iLBC/97 opus/96 G722/9; video H261/31 MPV/32",
        "PCMU PCMA; video H261 refused",
        "PCMU/0; video refused",
        "
        bob -> tandem re-INVITE (sdp PCMU; video MPV)
        tandem -> alice INVITE [sdp audio first=PCMU; video MPV/32]
        alice -> tandem 200 (sdp PCMU; video MPV)
        tandem -> alice ACK
        tandem -> bob 200 [sdp PCMU; video MPV/32]
        bob -> tandem ACK
        media bob video [pass 32>32 | from alice]
        ",
    );
}

#[test]
fn section_2_3_audio_and_video_three() {
    exchange(
        "PCMU PCMA iLBC; video H261 MPV",
        "PCMU/0 PCMA/8 iLBC/97 opus/96 G722/9; video H261/31 MPV/32",
        "iLBC; video H261",
        "iLBC/97; video H261/31",
        "
        media alice [send sealed/8000 | pass 97>97]
        bob -> tandem re-INVITE (sdp iLBC; video H261 refused)
        tandem -> bob 200 [sdp iLBC/97; video refused]
        bob -> tandem ACK
        tandem -> alice INVITE [sdp audio iLBC/97; video refused]
        alice -> tandem 200 (sdp iLBC; video H261 refused)
        tandem -> alice ACK
        ",
    );
}

#[test]
fn section_2_4_two_audio_lines() {
    // The second, which holds telephone-events alone, has nothing to carry.
    exchange(
        "PCMU PCMA iLBC; audio events",
        "lines=1 PCMU/0 PCMA/8 iLBC/97 opus/96 G722/9",
        "iLBC",
        "iLBC/97; audio refused",
        "",
    );
}

#[test]
fn section_2_5_telephone_events() {
    exchange(
        "PCMU iLBC/97 events",
        "first=PCMU lines=1 events",
        "PCMU events",
        "PCMU/0 events",
        "media alice [events 100/8000]",
    );
}

#[test]
fn section_3_1_hold_and_unhold() {
    exchange(
        "PCMU iLBC/97",
        "first=PCMU lines=1",
        "PCMU",
        "PCMU/0",
        "
        bob -> tandem re-INVITE (sdp PCMU sendonly)
        tandem -> bob 200 [sdp PCMU recvonly]
        bob -> tandem ACK
        tandem -> alice INVITE [sdp first=PCMU sendonly]
        alice -> tandem 200 (sdp PCMU recvonly)
        tandem -> alice ACK
        bob -> tandem re-INVITE (sdp PCMU)
        tandem -> bob 200 [sdp PCMU]
        bob -> tandem ACK
        tandem -> alice INVITE [sdp first=PCMU]
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        ",
    );
}

#[test]
fn section_3_3_a_line_is_added() {
    exchange(
        "PCMU",
        "first=PCMU lines=1",
        "PCMU",
        "PCMU/0",
        "
        bob -> tandem re-INVITE (sdp PCMU; video H261)
        tandem -> alice INVITE [sdp audio first=PCMU; video H261/31]
        alice -> tandem 200 (sdp PCMU; video H261)
        tandem -> alice ACK
        tandem -> bob 200 [sdp PCMU; video H261/31]
        bob -> tandem ACK
        ",
    );
}

#[test]
fn section_4_1_no_offer_in_the_invite() {
    play(
        "
        bob registers
        alice calls bob
        tandem -> bob INVITE [sdp lines=1]
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200 [sdp first=PCMU lines=1]
        alice -> tandem ACK (sdp PCMU)
        alice -> tandem re-INVITE
        tandem -> alice 200 [sdp first=PCMU lines=1]
        alice -> tandem ACK (sdp PCMU; video H261)
        media alice [send PCMU/0]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        ",
    );
}
