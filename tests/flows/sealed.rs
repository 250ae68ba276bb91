//! Sound in codecs that we don't have, relayed where both sides share one, and what else two sides say of their sound.

use crate::ladder::{play, play_in};

const GOODBYE: &str = "
    alice -> tandem BYE
    tandem -> alice 200
    tandem -> bob BYE
    bob -> tandem 200
";

fn calling(offer: &str, ladder: &str) {
    play(&format!("bob registers\n alice calls bob (sdp {offer})\n {ladder}\n {GOODBYE}"));
}

#[test]
fn a_codec_that_both_share_is_relayed() {
    calling(
        "AMR-WB AMR G729 PCMU events events16",
        "
        tandem -> bob INVITE [sdp AMR-WB/113 AMR/112 G729/18 PCMU/0 opus/96 G722/9 PCMA/8 events]
        bob -> tandem 200 (sdp AMR/97 events)
        tandem -> bob ACK
        tandem -> alice 200 [sdp AMR/112 events]
        alice -> tandem ACK
        media alice [send sealed/8000 | receive nothing | pass 112>97 | from bob | silence 60s]
        media bob [send sealed/8000 | receive nothing | pass 112>112 97>112 | from alice]
        alice -> tandem re-INVITE (sdp AMR PCMU sendonly)
        tandem -> alice 200 [sdp AMR/112 recvonly]
        alice -> tandem ACK
        tandem -> bob INVITE [sdp AMR/112 sendonly]
        bob -> tandem 200 (sdp AMR/97 recvonly)
        tandem -> bob ACK
        media bob [send sealed/8000 | pass nothing]
        ",
    );
}

#[test]
fn nobody_is_offered_what_could_not_be_transcoded() {
    calling(
        "G729",
        "
        tandem -> bob INVITE [sdp G729/18]
        bob -> tandem 200 (sdp G729-plain)
        tandem -> bob ACK
        tandem -> alice 200 [sdp G729/18 fmtp=annexb=no]
        alice -> tandem ACK
        ",
    );
}

#[test]
fn a_codec_that_would_have_to_be_transcoded_is_refused_with_the_reason() {
    play(
        "
        alice calls *43 (sdp G729)
        tandem -> alice 488
        record [status 488 | by gateway | cause can only be relayed]
        ",
    );
    play_in(
        |setting| setting.trunk("acme").codecs = vec![tandem_codecs::Codec::Pcma],
        "
        alice calls +15550190001 (sdp G729)
        tandem -> alice 488
        quiet acme
        record [status 488 | by gateway | cause can only be relayed]
        ",
    );
}

#[test]
fn a_trunk_is_offered_what_its_list_names_where_the_caller_has_it() {
    let in_list = |setting: &mut crate::world::Setting| {
        let trunk = setting.trunk("acme");
        trunk.codecs = vec![tandem_codecs::Codec::Pcma];
        trunk.relayed = vec![tandem::config::settings::Relayed { name: "G729", place: 0 }];
    };
    play_in(
        in_list,
        "
        alice calls +15550190001 (sdp AMR PCMU G729 events)
        tandem -> acme INVITE [sdp G729/18 PCMA/8 events]
        acme -> tandem 200 (sdp G729 events)
        tandem -> acme ACK
        tandem -> alice 200 [sdp G729/18 events]
        alice -> tandem ACK
        media alice [send sealed/8000 | pass 18>18 | from acme]
        media acme [send sealed/8000 | pass 18>18 | from alice]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> acme BYE
        acme -> tandem 200
        ",
    );
    play_in(
        in_list,
        "
        alice calls +15550190001 (sdp PCMU)
        tandem -> acme INVITE [sdp PCMA/8 events]
        acme -> tandem 486
        tandem -> alice 486
        ",
    );
}

#[test]
fn a_side_that_leaves_what_both_shared_is_followed() {
    calling(
        "G729 PCMU",
        "
        tandem -> bob INVITE
        bob -> tandem 200 (sdp G729)
        tandem -> bob ACK
        tandem -> alice 200 [sdp G729]
        alice -> tandem ACK
        alice -> tandem re-INVITE (sdp PCMU)
        tandem -> alice 200 [sdp PCMU]
        alice -> tandem ACK
        tandem -> bob INVITE [sdp first=PCMU]
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        media alice [send PCMU/0 | receive PCMU/0]
        media bob [send PCMU/0 | receive PCMU/0]
        ",
    );
}

#[test]
fn comfort_noise_goes_where_both_take_it() {
    calling(
        "PCMU CN",
        "
        tandem -> bob INVITE [sdp PCMU/0 opus/96 G722/9 PCMA/8 CN/13]
        bob -> tandem 200 (sdp PCMU CN)
        tandem -> bob ACK
        tandem -> alice 200 [sdp PCMU CN/13]
        alice -> tandem ACK
        media alice [noise 13 | pass nothing]
        media bob [noise 13 | pass nothing]
        ",
    );
    calling(
        "PCMU CN",
        "
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200 [sdp PCMU]
        alice -> tandem ACK
        media alice [noise none | pass nothing]
        ",
    );
}

#[test]
fn comfort_noise_is_made_and_understood_where_sound_is_transcoded() {
    calling(
        "PCMU CN",
        "
        tandem -> bob INVITE
        bob -> tandem 200 (sdp PCMA)
        tandem -> bob ACK
        tandem -> alice 200 [sdp PCMU CN/13]
        alice -> tandem ACK
        media alice [noise 13 | send PCMU/0]
        media bob [noise none | send PCMA/8]
        ",
    );
    // Opus has none of its own, and one that pauses is told to others as noise.
    calling(
        "opus-dtx",
        "
        tandem -> bob INVITE [sdp first=opus | body ~ a=rtpmap:13 CN/8000]
        bob -> tandem 200 (sdp PCMU CN)
        tandem -> bob ACK
        tandem -> alice 200 [sdp opus/111]
        alice -> tandem ACK
        media alice [noise none | send opus/111]
        media bob [noise 13 | send PCMU/0]
        ",
    );
}

#[test]
fn what_one_side_wants_of_opus_the_other_is_told() {
    calling(
        "opus-mono-16k",
        "
        tandem -> bob INVITE [sdp first=opus fmtp=maxplaybackrate=16000,useinbandfec=1]
        bob -> tandem 200 (sdp opus/111)
        tandem -> bob ACK
        tandem -> alice 200 [sdp opus/111]
        alice -> tandem ACK
        media alice [send opus/111]
        ",
    );
}

#[test]
fn a_trunk_with_a_list_has_its_order_and_others_the_offerers() {
    play_in(
        |setting| {
            setting.trunk("acme").codecs = vec![tandem_codecs::Codec::Pcma, tandem_codecs::Codec::Pcmu];
        },
        "
        bob registers
        acme -> tandem INVITE bob (sdp PCMU PCMA)
        tandem -> bob INVITE [sdp PCMU/0 PCMA/8 opus/96 G722/9]
        bob -> tandem 200 (sdp opus/96)
        tandem -> bob ACK
        tandem -> acme 200 [sdp PCMA]
        acme -> tandem ACK
        acme -> tandem BYE
        tandem -> acme 200
        tandem -> bob BYE
        bob -> tandem 200
        alice calls +15550190001 (sdp PCMU PCMA)
        tandem -> acme INVITE [sdp PCMA/8 PCMU/0]
        acme -> tandem 200 (sdp PCMU)
        tandem -> acme ACK
        tandem -> alice 200 [sdp PCMU]
        alice -> tandem ACK
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> acme BYE
        acme -> tandem 200
        ",
    );
}
