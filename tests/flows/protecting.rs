//! Media under SRTP, with keys in the descriptions (RFC 4568, RFC 8643): demanded, offered, accepted or refused.

use crate::ladder::{play, play_in};
use crate::world::Setting;
use tandem::config::settings::Srtp;

const GOODBYE: &str = "
    alice -> tandem BYE
    tandem -> alice 200
    tandem -> bob BYE
    bob -> tandem 200
";

fn users(srtp: Srtp) -> impl Fn(&mut Setting) {
    move |setting| setting.settings.sip.srtp = srtp
}

#[test]
fn a_protected_side_and_a_plain_one_are_bridged() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU secure keys events)
        tandem -> bob INVITE [sdp first=PCMU]
        bob -> tandem 200 (sdp PCMU events)
        tandem -> bob ACK
        tandem -> alice 200 [sdp PCMU secure keys events]
        alice -> tandem ACK
        media alice [protected | from bob]
        media bob [clear | from alice]
        # The profile and the keys stay over hold and resume, whoever asks for it.
        alice -> tandem re-INVITE (sdp PCMU secure keys sendonly)
        tandem -> alice 200 [sdp PCMU secure keys recvonly]
        alice -> tandem ACK
        tandem -> bob INVITE [sdp first=PCMU sendonly]
        bob -> tandem 200 (sdp PCMU recvonly)
        tandem -> bob ACK
        media alice [protected]
        bob -> tandem re-INVITE (sdp PCMU inactive)
        tandem -> bob 200 [sdp PCMU inactive]
        bob -> tandem ACK
        tandem -> alice INVITE [sdp first=PCMU secure keys inactive]
        alice -> tandem 200 (sdp PCMU secure keys inactive)
        tandem -> alice ACK
        media alice [protected]
        {GOODBYE}"
    ));
}

#[test]
fn keys_beside_the_plain_profile_are_taken() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU keys)
        tandem -> bob INVITE [sdp first=PCMU]
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200 [sdp PCMU keys]
        alice -> tandem ACK
        media alice [protected]
        media bob [clear]
        {GOODBYE}"
    ));
}

#[test]
fn what_is_offered_may_be_left() {
    play_in(
        users(Srtp::Offered),
        &format!(
            "
            bob registers
            alice calls bob (sdp PCMU)
            tandem -> bob INVITE [sdp first=PCMU keys]
            bob -> tandem 200 (sdp PCMU)
            tandem -> bob ACK
            tandem -> alice 200 [sdp PCMU]
            alice -> tandem ACK
            media alice [clear]
            media bob [clear]
            {GOODBYE}"
        ),
    );
    play_in(
        users(Srtp::Offered),
        &format!(
            "
            bob registers
            alice calls bob (sdp PCMU)
            tandem -> bob INVITE [sdp first=PCMU keys]
            bob -> tandem 200 (sdp PCMU keys)
            tandem -> bob ACK
            tandem -> alice 200 [sdp PCMU]
            alice -> tandem ACK
            media alice [clear]
            media bob [protected]
            {GOODBYE}"
        ),
    );
}

#[test]
fn what_is_demanded_is_never_carried_in_clear() {
    play_in(
        users(Srtp::Required),
        "
        bob registers
        alice calls bob (sdp PCMU)
        tandem -> alice 488
        quiet bob
        record [status 488 | cause `srtp` is \"required\" here]
        ",
    );
    play_in(
        users(Srtp::Required),
        "
        bob registers
        alice calls bob (sdp PCMU secure keys)
        tandem -> bob INVITE [sdp first=PCMU secure keys]
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> bob BYE
        bob -> tandem 200
        tandem -> alice 488
        ",
    );
}

#[test]
fn a_trunk_may_demand_what_its_users_do_not() {
    play_in(
        |setting| setting.trunk("acme").srtp = Srtp::Required,
        "
        alice calls +15550190001 (sdp PCMU)
        tandem -> acme INVITE [sdp first=PCMU secure keys]
        acme -> tandem 200 (sdp PCMU secure keys)
        tandem -> acme ACK
        tandem -> alice 200 [sdp PCMU]
        alice -> tandem ACK
        media alice [clear]
        media acme [protected]
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> acme BYE
        acme -> tandem 200
        ",
    );
}

#[test]
fn what_is_refused_is_refused_with_the_reason() {
    play_in(
        users(Srtp::Never),
        "
        bob registers
        alice calls bob (sdp PCMU secure keys)
        tandem -> alice 488
        quiet bob
        record [status 488 | cause `srtp` is \"never\" here]
        ",
    );
    play(
        "
        bob registers
        alice calls bob (sdp PCMU secure)
        tandem -> alice 488
        quiet bob
        record [status 488 | cause no SRTP key]
        ",
    );
}

#[test]
fn a_side_that_is_transferred_keeps_its_protection() {
    for (sdp, answer) in [("PCMU secure keys", "PCMU secure keys"), ("PCMU keys", "PCMU keys")] {
        play(&format!(
            "
            bob registers
            carol registers
            alice calls bob (sdp {sdp})
            tandem -> bob INVITE [sdp first=PCMU]
            bob -> tandem 200 (sdp PCMU)
            tandem -> bob ACK
            tandem -> alice 200 [sdp {answer}]
            alice -> tandem ACK
            bob -> tandem REFER (Refer-To: <sip:carol@tandem.local>)
            tandem -> bob 202 REFER
            tandem -> bob NOTIFY [body SIP/2.0 100 Trying]
            bob -> tandem 200 NOTIFY
            tandem -> carol INVITE [sdp first=PCMU]
            carol -> tandem 200 (sdp PCMU)
            tandem -> carol ACK
            tandem -> bob NOTIFY [body SIP/2.0 200 OK]
            tandem -> bob BYE
            bob -> tandem 200 NOTIFY
            bob -> tandem 200 BYE
            tandem -> alice INVITE [sdp first={answer}]
            alice -> tandem 200 (sdp {sdp})
            tandem -> alice ACK
            media alice [protected | from carol]
            media carol [clear]
            alice -> tandem BYE
            tandem -> alice 200 BYE
            tandem -> carol BYE
            carol -> tandem 200 BYE
            "
        ));
    }
}

#[test]
fn of_several_lines_the_one_is_taken_that_can_be() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU secure; PCMU)
        tandem -> bob INVITE [sdp first=PCMU]
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200 [sdp audio refused; audio PCMU]
        alice -> tandem ACK
        media alice [clear]
        {GOODBYE}"
    ));
    play_in(
        users(Srtp::Required),
        &format!(
            "
            bob registers
            alice calls bob (sdp PCMU; PCMU secure keys)
            tandem -> bob INVITE [sdp first=PCMU secure keys]
            bob -> tandem 200 (sdp PCMU secure keys)
            tandem -> bob ACK
            tandem -> alice 200 [sdp audio refused; audio PCMU secure keys]
            alice -> tandem ACK
            media alice [protected]
            {GOODBYE}"
        ),
    );
}

#[test]
fn fax_has_no_keys_and_is_not_carried_where_they_are_demanded() {
    play_in(
        users(Srtp::Required),
        "
        bob registers
        alice calls bob (sdp image t38)
        tandem -> alice 488
        quiet bob
        ",
    );
}
