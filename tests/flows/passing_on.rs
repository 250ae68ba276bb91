//! Transfers that the other side carries out, by the rule of a trunk or of the plan.

use crate::ladder::play_in;
use tandem::config::settings::Transfer;

#[test]
fn a_trunk_may_carry_a_transfer_out_itself() {
    play_in(
        |setting| setting.trunk("acme").transfer = Transfer::Pass,
        "
        alice calls +15550190000 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 200 (sdp PCMU)
        tandem -> acme ACK
        tandem -> alice 200
        alice -> tandem ACK
        alice -> tandem REFER (Refer-To: <sip:+15550190001@tandem.local> | Referred-By: <sip:alice@tandem.local>)
        tandem -> acme REFER [Refer-To: <sip:+15550190001@198.51.100.11> | no Referred-By]
        acme -> tandem 202
        tandem -> alice 202 REFER
        acme -> tandem NOTIFY (Event: refer | Subscription-State: active;expires=60 | type: message/sipfrag | body: SIP/2.0 180 Ringing at 10.0.0.1)
        tandem -> alice NOTIFY [Event: refer | body SIP/2.0 180 Ringing | Subscription-State ~ active]
        alice -> tandem 200
        tandem -> acme 200 NOTIFY
        acme -> tandem NOTIFY (Event: refer | Subscription-State: terminated | type: message/sipfrag | body: SIP/2.0 200 OK)
        tandem -> alice NOTIFY [body SIP/2.0 200 OK | Subscription-State ~ terminated]
        alice -> tandem 200
        tandem -> acme 200 NOTIFY
        acme -> tandem NOTIFY (Event: refer | Subscription-State: terminated | type: message/sipfrag | body: SIP/2.0 200 OK)
        tandem -> acme 481 NOTIFY
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> acme BYE
        acme -> tandem 200
        record [cause the caller hung up]
        ",
    );
}

#[test]
fn a_trunk_is_not_asked_for_what_it_is_not_the_way_to() {
    play_in(
        |setting| setting.trunk("acme").transfer = Transfer::Pass,
        "
        carol registers
        alice calls +15550190000 (sdp PCMU)
        tandem -> acme INVITE
        acme -> tandem 200 (sdp PCMU)
        tandem -> acme ACK
        tandem -> alice 200
        alice -> tandem ACK
        alice -> tandem REFER (Refer-To: <sip:carol@tandem.local>)
        tandem -> alice 202 REFER
        tandem -> alice NOTIFY
        alice -> tandem 200
        tandem -> carol INVITE
        carol -> tandem 603
        tandem -> alice NOTIFY [body ~ 603]
        alice -> tandem 200
        quiet acme
        alice -> tandem BYE
        tandem -> alice 200 BYE
        tandem -> acme BYE
        acme -> tandem 200
        ",
    );
}

#[test]
fn a_rule_may_have_a_phone_carry_a_transfer_out() {
    play_in(
        |setting| setting.plan = setting.plan.replace("dialled = \"user\"", "dialled = \"user\"\ntransfer = \"pass\""),
        "
        alice talks to bob (PCMU)
        alice -> tandem REFER (Refer-To: <sip:carol@192.0.2.1>)
        tandem -> bob REFER [Refer-To: <sip:carol@tandem.local>]
        bob -> tandem 603
        tandem -> alice 603 REFER
        alice -> tandem REFER (Refer-To: <sip:carol@192.0.2.1> | Refer-Sub: false)
        tandem -> bob REFER [Refer-Sub: false]
        bob -> tandem 200
        tandem -> alice 202 REFER [Refer-Sub: false]
        # Of that one nothing more is heard, and of this one no news come.
        bob -> tandem NOTIFY (Event: refer | Subscription-State: active | type: message/sipfrag | body: SIP/2.0 100 Trying)
        tandem -> bob 481
        alice -> tandem REFER (Refer-To: <sip:carol@192.0.2.1>)
        tandem -> bob REFER [no Refer-Sub]
        bob -> tandem 202
        tandem -> alice 202 REFER [no Refer-Sub]
        alice -> tandem REFER (Refer-To: <sip:carol@192.0.2.1>)
        tandem -> alice 491
        wait 180s
        alice -> tandem REFER (Refer-To: <sip:carol@192.0.2.1>)
        tandem -> bob REFER
        bob -> tandem 603
        tandem -> alice 603 REFER
        alice -> tandem BYE
        tandem -> alice 200 BYE
        tandem -> bob BYE
        bob -> tandem 200 BYE
        ",
    );
}
