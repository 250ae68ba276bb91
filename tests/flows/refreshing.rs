//! Session timers (RFC 4028), on either leg alone and in both roles.

use crate::ladder::{play, play_in};
use crate::world::Setting;
use std::time::Duration;

fn half_an_hour(setting: &mut Setting) {
    setting.settings.sip.session_expires = Duration::from_secs(1_800);
}

/// Alice hangs up.
const GOODBYE: &str = "
    alice -> tandem BYE
    tandem -> alice 200
    tandem -> bob BYE
    bob -> tandem 200
";

/// Bob answers a call of alice's, who knows nothing of timers, and says this of his.
fn answered_with(answer: &str, ladder: &str) {
    play_in(
        half_an_hour,
        &format!(
            "
            bob registers
            alice calls bob (sdp PCMU)
            tandem -> bob INVITE [Supported ~ 100rel, timer | Session-Expires: 1800 | no Min-SE | no Require]
            bob -> tandem 200 (sdp PCMU | {answer})
            tandem -> bob ACK
            tandem -> alice 200 [no Session-Expires | no Require | Supported ~ timer]
            alice -> tandem ACK
            {ladder}"
        ),
    );
}

/// Alice calls bob, who knows nothing of timers, and says this of hers.
fn asked_with(invite: &str, answer: &str, ladder: &str) {
    play_in(
        half_an_hour,
        &format!(
            "
            bob registers
            alice calls bob (sdp PCMU | {invite})
            tandem -> bob INVITE [Session-Expires: 1800]
            bob -> tandem 200 (sdp PCMU)
            tandem -> bob ACK
            tandem -> alice 200 [{answer}]
            alice -> tandem ACK
            {ladder}"
        ),
    );
}

#[test]
fn we_refresh_the_called_side_by_update() {
    answered_with(
        "Require: timer | Session-Expires: 1800;refresher=uac | Allow: INVITE, ACK, BYE, UPDATE",
        &format!(
            "
            wait 899s
            quiet alice bob
            wait 1s
            tandem -> bob UPDATE [Session-Expires: 1800;refresher=uac | Supported ~ timer | no sdp | has Contact]
            bob -> tandem 200 (Session-Expires: 1800;refresher=uac)
            wait 900s
            tandem -> bob UPDATE [Session-Expires: 1800;refresher=uac]
            bob -> tandem 200 (Session-Expires: 1800;refresher=uac)
            quiet alice
            {GOODBYE}"
        ),
    );
}

#[test]
fn we_refresh_the_called_side_by_re_invite_where_it_takes_no_update() {
    answered_with(
        "Session-Expires: 600;refresher=uac | Allow: INVITE, ACK, BYE",
        &format!(
            "
            wait 300s
            tandem -> bob INVITE [Session-Expires: 600;refresher=uac | same sdp]
            bob -> tandem 200 (sdp PCMU | Session-Expires: 600;refresher=uac)
            tandem -> bob ACK
            quiet alice
            media bob [send PCMU/0 | to bob | from alice]
            wait 300s
            tandem -> bob INVITE [same sdp]
            bob -> tandem 200 (sdp PCMU port=4040 | Session-Expires: 600;refresher=uac)
            tandem -> bob ACK
            media bob [to 192.0.2.21:4040]
            {GOODBYE}"
        ),
    );
}

#[test]
fn a_refresh_after_a_refused_offer_is_told_from_that() {
    answered_with(
        "Session-Expires: 600;refresher=uac | Allow: INVITE, ACK, BYE",
        &format!(
            "
            alice -> tandem re-INVITE (sdp PCMU sendonly)
            tandem -> alice 200
            alice -> tandem ACK
            tandem -> bob INVITE [sdp sendonly]
            bob -> tandem 488
            wait 300s
            tandem -> bob INVITE [sdp sendrecv]
            bob -> tandem 200 (sdp PCMU | Session-Expires: 600;refresher=uac)
            tandem -> bob ACK
            {GOODBYE}"
        ),
    );
}

#[test]
fn an_update_that_is_not_known_after_all_becomes_a_re_invite() {
    answered_with(
        "Session-Expires: 600;refresher=uac | Allow: INVITE, UPDATE",
        &format!(
            "
            wait 300s
            tandem -> bob UPDATE
            bob -> tandem 501
            tandem -> bob INVITE [same sdp]
            bob -> tandem 200 (sdp PCMU | Session-Expires: 600;refresher=uac)
            tandem -> bob ACK
            wait 300s
            tandem -> bob INVITE
            bob -> tandem 200 (sdp PCMU | Session-Expires: 600;refresher=uac)
            tandem -> bob ACK
            {GOODBYE}"
        ),
    );
}

#[test]
fn a_refresh_that_is_refused_is_tried_until_the_time_is_over() {
    answered_with(
        "Session-Expires: 90;refresher=uac | Allow: UPDATE",
        "
        wait 45s
        tandem -> bob UPDATE
        bob -> tandem 503
        wait 10s
        tandem -> bob UPDATE
        bob -> tandem 503
        wait 5s
        tandem -> bob BYE
        tandem -> alice BYE
        alice -> tandem 200
        bob -> tandem 200 BYE
        record [by gateway | cause the called side did not refresh the session]
        ",
    );
}

#[test]
fn a_called_side_that_lost_the_call_is_found_out_by_the_refresh() {
    answered_with(
        "Session-Expires: 1800;refresher=uac | Allow: UPDATE",
        "
        wait 900s
        tandem -> bob UPDATE
        bob -> tandem 481
        tandem -> alice BYE
        alice -> tandem 200
        record [by gateway | cause the called side vanished]
        ",
    );
}

#[test]
fn the_called_side_refreshes_and_stops() {
    answered_with(
        "Require: timer | Session-Expires: 300;refresher=uas",
        "
        wait 150s
        quiet bob
        bob -> tandem UPDATE (Supported: timer | Session-Expires: 300;refresher=uac)
        tandem -> bob 200 [Session-Expires: 300;refresher=uac | Require: timer]
        wait 150s
        bob -> tandem re-INVITE (sdp PCMU | Supported: timer | Session-Expires: 300;refresher=uac)
        tandem -> bob 200 [Session-Expires: 300;refresher=uac | Require: timer | sdp PCMU]
        bob -> tandem ACK
        quiet alice
        wait 267s
        quiet alice bob
        wait 1s
        tandem -> bob BYE
        tandem -> alice BYE
        bob -> tandem 481
        alice -> tandem 200
        record [by gateway | cause the called side did not refresh the session]
        ",
    );
}

#[test]
fn a_called_side_without_timers_lasts_for_ever() {
    answered_with(
        "Allow: INVITE, UPDATE",
        &format!(
            "
            wait 3600s
            quiet alice bob
            {GOODBYE}"
        ),
    );
}

#[test]
fn a_side_without_a_timer_is_asked_by_options_and_the_other_is_not() {
    play_in(
        |setting| {
            half_an_hour(setting);
            setting.settings.sip.dialog_interval = Duration::from_secs(300);
        },
        &format!(
            "
            bob registers
            alice calls bob (sdp PCMU)
            tandem -> bob INVITE
            bob -> tandem 200 (sdp PCMU | Session-Expires: 1800;refresher=uac | Allow: UPDATE)
            tandem -> bob ACK
            tandem -> alice 200
            alice -> tandem ACK
            wait 300s
            tandem -> alice OPTIONS
            alice -> tandem 200
            quiet bob
            {GOODBYE}"
        ),
    );
}

#[test]
fn the_called_side_finds_our_time_too_short() {
    play_in(
        half_an_hour,
        &format!(
            "
            bob registers
            alice calls bob (sdp PCMU)
            tandem -> bob INVITE [Session-Expires: 1800]
            bob -> tandem 422 (Min-SE: 3600)
            tandem -> bob INVITE [Session-Expires: 3600 | Min-SE: 3600]
            bob -> tandem 422 (Min-SE: 3600)
            tandem -> alice 500
            alice calls bob (sdp PCMU)
            tandem -> bob INVITE [Session-Expires: 1800]
            bob -> tandem 422 (Min-SE: 2000)
            tandem -> bob INVITE [Session-Expires: 2000 | Min-SE: 2000]
            bob -> tandem 200 (sdp PCMU | Session-Expires: 2000;refresher=uac | Allow: UPDATE)
            tandem -> bob ACK
            tandem -> alice 200
            alice -> tandem ACK
            wait 1000s
            tandem -> bob UPDATE [Session-Expires: 2000;refresher=uac | Min-SE: 2000]
            bob -> tandem 422 (Min-SE: 4000)
            tandem -> bob UPDATE [Session-Expires: 4000;refresher=uac | Min-SE: 4000]
            bob -> tandem 200 (Session-Expires: 4000;refresher=uac)
            {GOODBYE}"
        ),
    );
}

#[test]
fn we_find_the_callers_time_too_short() {
    play_in(
        |setting| {
            half_an_hour(setting);
            setting.settings.sip.min_se = Duration::from_secs(600);
            setting.trunk("acme").min_se = Some(Duration::from_secs(90));
            setting.trunk("acme").session_expires = Some(Duration::from_secs(900));
        },
        &format!(
            "
            bob registers
            alice calls bob (sdp PCMU | Supported: timer | Session-Expires: 300)
            tandem -> alice 422 [Min-SE: 600]
            record none
            alice -> tandem INVITE bob (auth | sdp PCMU | Supported: timer | Session-Expires: 600 | Min-SE: 600)
            tandem -> bob INVITE [Min-SE: 600]
            bob -> tandem 200 (sdp PCMU)
            tandem -> bob ACK
            tandem -> alice 200 [Session-Expires: 600;refresher=uas]
            alice -> tandem ACK
            alice -> tandem UPDATE (Supported: timer | Session-Expires: 90)
            tandem -> alice 422 UPDATE [Min-SE: 600]
            {GOODBYE}
            acme -> tandem INVITE bob (sdp PCMU | Supported: timer | Session-Expires: 300;refresher=uac)
            tandem -> bob INVITE
            bob -> tandem 486
            tandem -> acme 486
            alice calls +15550190001 (sdp PCMU)
            tandem -> acme INVITE [Session-Expires: 900 | no Min-SE]
            acme -> tandem 486
            tandem -> alice 486
            "
        ),
    );
}

#[test]
fn the_caller_refreshes_and_stops() {
    asked_with(
        "Supported: timer | Session-Expires: 1200;refresher=uac",
        "Session-Expires: 1200;refresher=uac | Require: timer",
        "
        wait 600s
        alice -> tandem UPDATE (Supported: timer | Session-Expires: 1200;refresher=uac)
        tandem -> alice 200 [Session-Expires: 1200;refresher=uac]
        wait 1167s
        quiet alice bob
        wait 1s
        tandem -> alice BYE
        tandem -> bob BYE
        alice -> tandem 200
        bob -> tandem 200
        record [by gateway | cause the caller did not refresh the session]
        ",
    );
}

#[test]
fn we_refresh_the_caller() {
    asked_with(
        "Supported: timer | Session-Expires: 1200 | Allow: UPDATE",
        "Session-Expires: 1200;refresher=uas | no Require",
        &format!(
            "
            wait 600s
            tandem -> alice UPDATE [Session-Expires: 1200;refresher=uac]
            alice -> tandem 200 (Session-Expires: 1200;refresher=uac)
            quiet bob
            alice -> tandem re-INVITE (sdp PCMU | Supported: timer)
            tandem -> alice 200 [Session-Expires: 1800;refresher=uas]
            alice -> tandem ACK
            {GOODBYE}"
        ),
    );
}

#[test]
fn a_caller_that_knows_timers_and_asks_for_none_is_given_ours() {
    asked_with("Supported: timer | Min-SE: 2400", "Session-Expires: 2400;refresher=uas | no Require", GOODBYE);
}

#[test]
fn a_longer_time_is_shortened_and_no_further_than_its_floor() {
    asked_with(
        "Supported: timer | Session-Expires: 7200 | Min-SE: 3600",
        "Session-Expires: 3600;refresher=uas",
        GOODBYE,
    );
    asked_with("Supported: timer | Session-Expires: 7200", "Session-Expires: 1800;refresher=uas", GOODBYE);
}

#[test]
fn a_proxy_asks_in_the_name_of_a_caller_that_knows_nothing_of_it() {
    asked_with(
        "x: 1200",
        "Session-Expires: 1200;refresher=uas | no Require",
        &format!(
            "
            wait 600s
            tandem -> alice INVITE [same sdp]
            alice -> tandem 200 (sdp PCMU)
            tandem -> alice ACK
            wait 600s
            tandem -> alice INVITE [same sdp]
            alice -> tandem 200 (sdp PCMU)
            tandem -> alice ACK
            quiet bob
            {GOODBYE}"
        ),
    );
}

#[test]
fn who_asks_for_a_timer_has_one_where_we_ask_for_none() {
    play(&format!(
        "
        bob registers
        alice calls bob (sdp PCMU | Require: timer | Session-Expires: 1200;refresher=uas)
        tandem -> bob INVITE [no Session-Expires | Supported ~ timer]
        bob -> tandem 200 (sdp PCMU | Session-Expires: 900;refresher=uas)
        tandem -> bob ACK
        tandem -> alice 200 [Session-Expires: 1200;refresher=uas]
        alice -> tandem ACK
        wait 600s
        tandem -> alice INVITE [same sdp]
        alice -> tandem 200 (sdp PCMU | Session-Expires: 1200;refresher=uac)
        tandem -> alice ACK
        bob -> tandem UPDATE (Supported: timer | Session-Expires: 900;refresher=uac)
        tandem -> bob 200 [Session-Expires: 900;refresher=uac]
        {GOODBYE}"
    ));
}

#[test]
fn a_change_of_media_refreshes_too() {
    answered_with(
        "Require: timer | Session-Expires: 600;refresher=uac | Allow: UPDATE",
        &format!(
            "
            wait 299s
            alice -> tandem re-INVITE (sdp PCMU sendonly)
            tandem -> alice 200
            alice -> tandem ACK
            tandem -> bob INVITE [sdp sendonly | Session-Expires: 600;refresher=uac]
            bob -> tandem 200 (sdp PCMU recvonly | Session-Expires: 600;refresher=uac)
            tandem -> bob ACK
            wait 299s
            quiet bob
            wait 1s
            tandem -> bob UPDATE
            alice -> tandem re-INVITE (sdp PCMU)
            tandem -> alice 200
            alice -> tandem ACK
            quiet bob
            bob -> tandem 200 UPDATE (Session-Expires: 600;refresher=uac)
            tandem -> bob INVITE [sdp first=PCMU]
            bob -> tandem 200 (sdp PCMU | Session-Expires: 600;refresher=uac)
            tandem -> bob ACK
            {GOODBYE}"
        ),
    );
}

#[test]
fn a_refresh_and_an_offer_meet() {
    answered_with(
        "Require: timer | Session-Expires: 600;refresher=uac | Allow: INVITE",
        &format!(
            "
            wait 300s
            tandem -> bob INVITE [same sdp]
            bob -> tandem re-INVITE (sdp PCMU sendonly | Supported: timer)
            tandem -> bob 491
            bob -> tandem 491 INVITE
            wait 5s
            tandem -> bob INVITE x+ [same sdp | Session-Expires: 600;refresher=uac]
            bob -> tandem 200 INVITE (sdp PCMU | Session-Expires: 600;refresher=uac)
            tandem -> bob ACK
            {GOODBYE}"
        ),
    );
}
