//! Calls of several media lines (RFC 3264): pictures, real-time text and fax beside the sound or in its place.

use crate::ladder::{play, play_in};

const GOODBYE: &str = "
    alice -> tandem BYE
    tandem -> alice 200
    tandem -> bob BYE
    bob -> tandem 200
";

/// Between an offer of alice's and the answers of both.
fn calling(offer: &str, ladder: &str) {
    play(&format!("bob registers\n alice calls bob (sdp {offer})\n {ladder}\n {GOODBYE}"));
}

fn talking(ladder: &str) {
    play(&format!("alice talks to bob (PCMU)\n{ladder}\n{GOODBYE}"));
}

#[test]
fn pictures_go_where_both_have_them() {
    calling(
        "PCMU; video VP8 H264 rtx a:framerate=30 a:rtcp-fb=99_nack_pli a:rtcp-fb=99_transport-cc a:candidate=1 rate=512",
        "
        tandem -> bob INVITE [sdp audio first=PCMU; video VP8/99 H264/97 a:framerate=30 a:rtcp-fb=99_nack_pli rate=512]
        bob -> tandem 200 (sdp PCMU; video H264/120 a:rtcp-fb=120_ccm_fir)
        tandem -> bob ACK
        tandem -> alice 200 [sdp PCMU; video H264/97 a:rtcp-fb=97_ccm_fir]
        alice -> tandem ACK
        media alice [send PCMU/0 | from bob]
        media alice video [send sealed/90000 | pass 97>120 | from bob | to 192.0.2.11:4002 | silence never]
        media bob video [send sealed/90000 | pass 97>97 120>97 | from alice | to 192.0.2.21:4002]
        ",
    );
}

#[test]
fn a_payload_that_must_agree_in_its_parameters_is_told_from_one_that_does_not() {
    calling(
        "PCMU; video H264-single/96 H264/97",
        "
        tandem -> bob INVITE [sdp audio first=PCMU; video H264/96 H264/97]
        bob -> tandem 200 (sdp PCMU; video H264/97)
        tandem -> bob ACK
        tandem -> alice 200 [sdp PCMU; video H264/97]
        alice -> tandem ACK
        media alice video [pass 97>97]
        ",
    );
}

#[test]
fn what_the_other_side_refuses_is_refused_in_its_place() {
    calling(
        "video VP8 a:mid=v; PCMU a:mid=a; application bfcp a:mid=b; text t140 red",
        "
        tandem -> bob INVITE [sdp video VP8; audio first=PCMU; text t140/98 red/110]
        bob -> tandem 200 (sdp video VP8 refused; PCMU; text t140/98)
        tandem -> bob ACK
        tandem -> alice 200 [sdp video refused a:mid=v; PCMU a:mid=a; application refused bfcp a:mid=b; text t140/98]
        alice -> tandem ACK
        media alice text [send sealed/1000 | pass 98>98 | from bob]
        # Refused lines stay where they are in whatever follows.
        bob -> tandem re-INVITE (sdp video VP8 refused; PCMU sendonly; text t140/98)
        tandem -> bob 200 [sdp video refused; PCMU recvonly; text t140/98]
        bob -> tandem ACK
        tandem -> alice INVITE [sdp video refused; audio first=PCMU sendonly; application refused bfcp; text t140/98]
        alice -> tandem 200 (sdp video VP8 refused; PCMU recvonly; application bfcp refused; text t140)
        tandem -> alice ACK
        media alice text [pass 98>98 | from bob]
        ",
    );
}

#[test]
fn a_bundle_is_refused_by_saying_nothing_of_it_and_names_of_lines_go_back() {
    calling(
        "PCMU a:mid=0; video VP8 port=4000 a:mid=1; video VP8 refused a:bundle-only a:mid=2",
        "
        tandem -> bob INVITE [sdp audio first=PCMU; video VP8]
        bob -> tandem 200 (sdp PCMU; video VP8)
        tandem -> bob ACK
        tandem -> alice 200 [sdp PCMU a:mid=0; video VP8 a:mid=1; video refused a:mid=2]
        alice -> tandem ACK
        ",
    );
}

#[test]
fn an_answer_with_too_few_lines_has_refused_the_others() {
    calling(
        "PCMU; video VP8",
        "
        tandem -> bob INVITE [sdp audio first=PCMU; video VP8]
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200 [sdp PCMU; video refused]
        alice -> tandem ACK
        media alice [send PCMU/0 | from bob]
        ",
    );
}

#[test]
fn a_call_of_pictures_alone_and_one_of_fax_alone() {
    for (offer, kind, item) in [("video VP8", "video", "send sealed/90000"), ("image t38", "image", "fax")] {
        calling(
            offer,
            &format!(
                "
                tandem -> bob INVITE [sdp {offer}]
                bob -> tandem 200 (sdp {offer})
                tandem -> bob ACK
                tandem -> alice 200 [sdp {offer}]
                alice -> tandem ACK
                media alice {kind} [{item} | from bob]
                media bob {kind} [{item} | from alice]
                "
            ),
        );
    }
}

#[test]
fn nothing_but_sound_goes_to_an_end_of_ours() {
    play(
        "
        alice calls *43 (sdp PCMU; video VP8)
        tandem -> alice 200 [sdp PCMU; video refused]
        alice -> tandem ACK
        media alice [from echo]
        alice -> tandem re-INVITE (sdp PCMU; video VP8)
        tandem -> alice 200 [sdp PCMU; video refused]
        alice -> tandem ACK
        alice -> tandem BYE
        tandem -> alice 200
        alice calls *43 (sdp video VP8)
        tandem -> alice 488
        ",
    );
}

#[test]
fn lines_beyond_the_limit_are_refused() {
    play_in(
        |setting| setting.settings.limits.streams = 2,
        &format!(
            "
            bob registers
            alice calls bob (sdp video VP8; text t140; PCMU; image t38)
            tandem -> bob INVITE [sdp video VP8; audio first=PCMU]
            bob -> tandem 200 (sdp video VP8; PCMU)
            tandem -> bob ACK
            tandem -> alice 200 [sdp video VP8; text refused; PCMU; image refused]
            alice -> tandem ACK
            alice -> tandem re-INVITE (sdp video VP8; text t140; PCMU; image t38 refused)
            tandem -> alice 200 [sdp video VP8; text refused; PCMU; image refused]
            alice -> tandem ACK
            {GOODBYE}"
        ),
    );
}

#[test]
fn a_port_that_cannot_be_had_costs_the_pictures_and_not_the_call() {
    play(&format!(
        "
        bob registers
        ports fail 1
        alice calls bob (sdp video VP8; PCMU)
        tandem -> bob INVITE [sdp audio first=PCMU]
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200 [sdp video refused; PCMU]
        alice -> tandem ACK
        {GOODBYE}"
    ));
}

#[test]
fn pictures_are_added_and_taken_away() {
    talking(
        "
        alice -> tandem re-INVITE (sdp PCMU; video VP8 H264)
        tandem -> alice 100
        tandem -> bob INVITE [sdp audio first=PCMU; video VP8/99 H264/97]
        quiet alice
        bob -> tandem 200 (sdp PCMU; video VP8/99)
        tandem -> bob ACK
        tandem -> alice 200 [sdp PCMU; video VP8/99]
        alice -> tandem ACK
        media alice video [pass 99>99 | from bob]
        media bob video [from alice]
        bob -> tandem re-INVITE (sdp PCMU; video VP8 refused)
        tandem -> bob 200 [sdp PCMU; video refused]
        bob -> tandem ACK
        tandem -> alice INVITE [sdp audio first=PCMU; video refused]
        alice -> tandem 200 (sdp PCMU; video VP8 refused)
        tandem -> alice ACK
        media alice [send PCMU/0 | from bob]
        # Another line takes the place that is free.
        bob -> tandem re-INVITE (sdp PCMU; text t140)
        tandem -> alice INVITE [sdp audio first=PCMU; text t140/98]
        alice -> tandem 200 (sdp PCMU; text t140)
        tandem -> alice ACK
        tandem -> bob 200 [sdp PCMU; text t140]
        bob -> tandem ACK
        media bob text [from alice]
        ",
    );
}

#[test]
fn pictures_that_the_other_side_does_not_want_are_refused_and_the_rest_holds() {
    talking(
        "
        alice -> tandem re-INVITE (sdp PCMU sendonly; video VP8)
        tandem -> bob INVITE [sdp audio first=PCMU; video VP8/99]
        bob -> tandem 488
        tandem -> alice 200 [sdp PCMU recvonly; video refused]
        alice -> tandem ACK
        tandem -> bob INVITE [sdp first=PCMU sendonly lines=1]
        bob -> tandem 200 (sdp PCMU recvonly)
        tandem -> bob ACK
        media alice [send nothing]
        alice -> tandem re-INVITE (sdp PCMU; video VP8)
        tandem -> bob INVITE [sdp audio first=PCMU sendonly; video VP8/99]
        bob -> tandem 200 (sdp PCMU recvonly; video VP8 refused)
        tandem -> bob ACK
        tandem -> alice 200 [sdp PCMU; video refused]
        alice -> tandem ACK
        tandem -> bob INVITE [sdp audio first=PCMU; video refused]
        bob -> tandem 200 (sdp PCMU; video VP8 refused)
        tandem -> bob ACK
        media alice [send PCMU/0 | receive PCMU/0]
        ",
    );
}

#[test]
fn sound_turns_into_fax_in_its_place_and_back() {
    talking(
        "
        bob -> tandem re-INVITE (sdp image t38 a:T38FaxVersion=0 a:T38FaxMaxDatagram=400)
        tandem -> alice INVITE [sdp image t38 a:T38FaxVersion=0 a:T38FaxMaxDatagram=400]
        alice -> tandem 200 (sdp image t38 a:T38FaxVersion=3)
        tandem -> alice ACK
        tandem -> bob 200 [sdp image t38 a:T38FaxVersion=3]
        bob -> tandem ACK
        media alice image [fax | from bob | to 192.0.2.11:4000]
        media bob image [fax | from alice]
        bob -> tandem re-INVITE (sdp PCMU)
        tandem -> alice INVITE [sdp first=PCMU lines=1]
        alice -> tandem 200 (sdp PCMU)
        tandem -> alice ACK
        tandem -> bob 200 [sdp PCMU lines=1]
        bob -> tandem ACK
        media alice [send PCMU/0 | from bob]
        media bob [send PCMU/0 | from alice]
        ",
    );
}

#[test]
fn fax_on_a_line_of_its_own_with_the_sound_refused() {
    talking(
        "
        bob -> tandem re-INVITE (sdp PCMU refused; image t38)
        tandem -> alice INVITE [sdp audio refused; image t38]
        alice -> tandem 200 (sdp PCMU refused; image t38)
        tandem -> alice ACK
        tandem -> bob 200 [sdp audio refused; image t38]
        bob -> tandem ACK
        media alice image [fax | from bob]
        alice -> tandem re-INVITE (sdp PCMU; image t38 refused)
        tandem -> bob INVITE [sdp audio first=PCMU; image refused]
        bob -> tandem 200 (sdp PCMU; image t38 refused)
        tandem -> bob ACK
        tandem -> alice 200 [sdp PCMU; image refused]
        alice -> tandem ACK
        media alice [send PCMU/0 | from bob]
        ",
    );
}

#[test]
fn fax_that_is_refused_leaves_the_sound_as_it_was() {
    talking(
        "
        bob -> tandem re-INVITE (sdp image t38)
        tandem -> alice INVITE [sdp image t38]
        alice -> tandem 488
        tandem -> bob 488
        media alice [send PCMU/0 | from bob]
        media bob [send PCMU/0 | from alice]
        bob -> tandem re-INVITE (sdp PCMU; image t38)
        tandem -> alice INVITE [sdp audio first=PCMU; image t38]
        alice -> tandem 415
        tandem -> bob 200 [sdp PCMU; image refused]
        bob -> tandem ACK
        media bob [send PCMU/0 | from alice]
        ",
    );
}

#[test]
fn both_sides_add_at_once() {
    talking(
        "
        alice -> tandem re-INVITE (sdp PCMU; video VP8)
        tandem -> bob INVITE [sdp audio first=PCMU; video VP8]
        bob -> tandem re-INVITE (sdp PCMU; video VP8)
        tandem -> bob 491
        bob -> tandem 491 INVITE
        wait 4s
        tandem -> bob INVITE x+ [sdp audio first=PCMU; video VP8]
        bob -> tandem 200 (sdp PCMU; video VP8)
        tandem -> bob ACK
        tandem -> alice 200 [sdp PCMU; video VP8]
        alice -> tandem ACK
        ",
    );
}

#[test]
fn one_hangs_up_while_the_other_is_asked() {
    play(
        "
        alice talks to bob (PCMU)
        alice -> tandem re-INVITE (sdp PCMU; video VP8)
        tandem -> bob INVITE
        alice -> tandem BYE
        tandem -> alice 200 BYE
        tandem -> alice 487 INVITE
        tandem -> bob BYE
        bob -> tandem 487 INVITE
        bob -> tandem 200 BYE
        ",
    );
}

#[test]
fn an_added_line_without_a_port_is_refused() {
    talking(
        "
        ports fail 1
        alice -> tandem re-INVITE (sdp PCMU; video VP8)
        tandem -> bob INVITE [sdp audio first=PCMU; video refused]
        bob -> tandem 200 (sdp PCMU; video VP8 refused)
        tandem -> bob ACK
        tandem -> alice 200 [sdp PCMU; video refused]
        alice -> tandem ACK
        ",
    );
}

#[test]
fn pictures_are_held_by_direction_and_by_zeros_apart_from_the_sound() {
    calling(
        "PCMU; video VP8",
        "
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU; video VP8)
        tandem -> bob ACK
        tandem -> alice 200
        alice -> tandem ACK
        alice -> tandem re-INVITE (sdp PCMU; video VP8 inactive)
        tandem -> alice 200 [sdp PCMU; video VP8 inactive]
        alice -> tandem ACK
        tandem -> bob INVITE [sdp audio first=PCMU; video VP8 inactive]
        bob -> tandem 200 (sdp PCMU; video VP8 inactive)
        tandem -> bob ACK
        media bob video [send nothing | pass nothing]
        media bob [send PCMU/0]
        alice -> tandem re-INVITE (sdp PCMU; video VP8 ip=0.0.0.0)
        tandem -> alice 200 [sdp PCMU; video VP8 recvonly]
        alice -> tandem ACK
        tandem -> bob INVITE [sdp audio first=PCMU; video VP8 sendonly]
        bob -> tandem 200 (sdp PCMU; video VP8 recvonly)
        tandem -> bob ACK
        media alice video [send nothing | pass 99>99]
        media bob video [send sealed/90000 | pass nothing]
        ",
    );
}

#[test]
fn what_one_phone_refuses_another_may_take() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU; video VP8)
        tandem -> bob INVITE
        bob -> tandem 183 (fork one | sdp PCMU; video VP8 refused)
        tandem -> alice 183 [sdp PCMU; video refused]
        bob -> tandem 200 (fork two | sdp PCMU; video VP8)
        tandem -> bob ACK
        tandem -> alice 200 [same sdp]
        alice -> tandem ACK
        tandem -> bob INVITE [sdp audio first=PCMU; video refused]
        bob -> tandem 200 (sdp PCMU; video VP8 refused)
        tandem -> bob ACK
        {GOODBYE}"
    ));
}

#[test]
fn who_is_moved_while_a_line_is_added_hears_and_may_ask_again() {
    play(
        "
        carol registers
        alice talks to bob (PCMU)
        bob -> tandem re-INVITE (sdp PCMU; video VP8)
        tandem -> bob 100
        tandem -> alice INVITE [sdp audio first=PCMU; video VP8/99]
        alice -> tandem 180
        alice -> tandem REFER (Refer-To: sip:carol@tandem.local)
        tandem -> alice 202
        tandem -> alice NOTIFY
        alice -> tandem 200 NOTIFY
        tandem -> carol INVITE
        carol -> tandem 200 (sdp PCMU)
        tandem -> carol ACK
        tandem -> bob 491
        tandem -> alice NOTIFY
        tandem -> alice BYE
        alice -> tandem 200 NOTIFY
        alice -> tandem 200 BYE
        alice -> tandem 487 INVITE
        tandem -> bob INVITE [sdp audio first=PCMU]
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        media bob [from carol | to bob]
        media carol [from bob | to carol]
        bob -> tandem re-INVITE (sdp PCMU; video VP8)
        tandem -> bob 100
        tandem -> carol INVITE [sdp audio first=PCMU; video VP8/99]
        carol -> tandem 488
        tandem -> bob 200 [sdp PCMU; video refused]
        bob -> tandem ACK
        bob -> tandem BYE
        tandem -> bob 200
        tandem -> carol BYE
        carol -> tandem 200
        ",
    );
}

#[test]
fn who_is_replaced_while_asked_for_a_line_leaves_none_behind() {
    play(
        "
        alice talks to bob (PCMU)
        alice -> tandem re-INVITE (sdp PCMU; video VP8)
        tandem -> alice 100
        tandem -> bob INVITE [sdp audio first=PCMU; video VP8/99]
        bob -> tandem 180
        bob2 calls alice (sdp PCMU | Replaces: {dialog of bob})
        tandem -> alice 491
        tandem -> bob2 200
        bob2 -> tandem ACK
        tandem -> bob BYE
        bob -> tandem 200 BYE
        bob -> tandem 487 INVITE
        media alice [from bob2]
        media bob2 [from alice]
        alice -> tandem re-INVITE (sdp PCMU; video VP8)
        tandem -> alice 100
        tandem -> bob2 INVITE [sdp audio first=PCMU; video VP8/99]
        bob2 -> tandem 200 (sdp PCMU; video VP8)
        tandem -> bob2 ACK
        tandem -> alice 200 [sdp PCMU; video VP8]
        alice -> tandem ACK
        media alice video [from bob2]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob2 BYE
        bob2 -> tandem 200
        ",
    );
}
