//! Subscriptions (RFC 6665) and what they are told: lamps, presence, waiting messages, registrations.

use crate::ladder::{play, play_in};

#[test]
fn a_busy_lamp_follows_its_phone() {
    play(
        "
        carol -> tandem SUBSCRIBE bob (Event: dialog;id=5 | Expires: 600)
        tandem -> carol 401
        carol -> tandem SUBSCRIBE bob (auth | Event: dialog;id=5 | Accept: application/dialog-info+xml | Expires: 600)
        tandem -> carol 200 [Expires: 600 | Contact: <sip:bob@192.0.2.1:5060>]
        tandem -> carol NOTIFY [Event: dialog;id=5 | Subscription-State: active;expires=600 | Content-Type: application/dialog-info+xml | body ~ version=\"0\" state=\"full\" entity=\"sip:bob@tandem.local\" | body ~ <state>terminated</state>]
        carol -> tandem 200
        bob registers
        wait 2s
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        bob -> tandem 100
        tandem -> carol NOTIFY [body ~ version=\"1\" | body ~ direction=\"recipient\"><state>trying</state>]
        carol -> tandem 200
        wait 2s
        bob -> tandem 180
        tandem -> alice 180
        tandem -> carol NOTIFY [body ~ <state>early</state>]
        carol -> tandem 200
        wait 2s
        bob -> tandem 200 (sdp PCMU)
        tandem -> bob ACK
        tandem -> alice 200
        alice -> tandem ACK
        tandem -> carol NOTIFY [body ~ <state>confirmed</state> | Subscription-State ~ active;expires=594]
        carol -> tandem 200
        wait 2s
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        tandem -> carol NOTIFY [body ~ version=\"4\" | body ~ <state>terminated</state>]
        carol -> tandem 200
        wait 592s
        tandem -> carol NOTIFY [Subscription-State: terminated;reason=timeout]
        carol -> tandem 200
        ",
    );
}

#[test]
fn quick_changes_are_told_together_and_others_do_not_see_who_calls() {
    play(
        "
        carol -> tandem SUBSCRIBE alice (Event: dialog)
        tandem -> carol 401
        carol -> tandem SUBSCRIBE alice (auth | Event: dialog)
        tandem -> carol 200 [Expires: 3600]
        tandem -> carol NOTIFY
        carol -> tandem 200
        alice talks to bob (PCMU)
        quiet carol
        wait 1s
        tandem -> carol NOTIFY [body ~ direction=\"initiator\"><state>confirmed</state> | body !~ <remote> | body !~ bob]
        carol -> tandem 200
        alice2 -> tandem SUBSCRIBE alice (Event: dialog | Expires: 0)
        tandem -> alice2 401
        alice2 -> tandem SUBSCRIBE alice (auth | Event: dialog | Expires: 0)
        tandem -> alice2 200 [Expires: 0]
        tandem -> alice2 NOTIFY [Subscription-State: terminated;reason=timeout | body ~ <identity>sip:bob@tandem.local</identity>]
        alice2 -> tandem 200
        alice -> tandem BYE
        tandem -> alice 200
        tandem -> bob BYE
        bob -> tandem 200
        wait 1s
        tandem -> carol NOTIFY
        carol -> tandem 200
        carol -> tandem SUBSCRIBE (auth | Event: dialog | Expires: 0)
        tandem -> carol 200 [Expires: 0]
        tandem -> carol NOTIFY [Subscription-State: terminated;reason=timeout]
        carol -> tandem 200
        subscriptions 0
        ",
    );
}

#[test]
fn only_users_watch_and_only_those_who_may() {
    play_in(
        |setting| setting.settings.sip.watchers = tandem::config::settings::Watchers::Named(vec!["emil".to_owned()]),
        "
        stranger -> tandem SUBSCRIBE bob (Event: presence)
        tandem -> stranger 401
        acme -> tandem SUBSCRIBE bob (Event: dialog)
        tandem -> acme 401
        carol -> tandem SUBSCRIBE bob (Event: dialog)
        tandem -> carol 401
        carol -> tandem SUBSCRIBE bob (auth wrong | Event: dialog)
        tandem -> carol 403
        carol -> tandem SUBSCRIBE bob (Event: dialog)
        tandem -> carol 401
        carol -> tandem SUBSCRIBE bob (auth | Event: dialog)
        tandem -> carol 403
        carol -> tandem SUBSCRIBE nobody (auth | Event: dialog)
        tandem -> carol 404
        carol -> tandem SUBSCRIBE bob (auth | Event: weather)
        tandem -> carol 489 [Allow-Events: presence, dialog, message-summary, reg]
        carol -> tandem SUBSCRIBE bob (auth)
        tandem -> carol 489
        carol -> tandem SUBSCRIBE carol (auth | Event: dialog | Expires: 5)
        tandem -> carol 423 [Min-Expires: 60]
        carol -> tandem SUBSCRIBE carol (auth | Event: dialog | Accept: text/plain)
        tandem -> carol 406
        carol -> tandem SUBSCRIBE carol (auth | Event: dialog | Expires: 0)
        tandem -> carol 200
        tandem -> carol NOTIFY
        carol -> tandem 200
        emil -> tandem SUBSCRIBE bob (Event: reg)
        tandem -> emil 401
        emil -> tandem SUBSCRIBE bob (auth | Event: reg)
        tandem -> emil 403
        emil -> tandem SUBSCRIBE bob (auth | Event: message-summary)
        tandem -> emil 403
        emil -> tandem SUBSCRIBE +15550100001 (auth | Event: dialog | Expires: 0)
        tandem -> emil 200
        tandem -> emil NOTIFY [body ~ entity=\"sip:alice@tandem.local\"]
        emil -> tandem 200
        subscriptions 0
        ",
    );
}

#[test]
fn a_subscription_ends_with_its_watcher() {
    play(
        "
        carol -> tandem SUBSCRIBE bob (Event: dialog)
        tandem -> carol 401
        carol -> tandem SUBSCRIBE bob (auth | Event: dialog)
        tandem -> carol 200
        tandem -> carol NOTIFY
        carol -> tandem 481
        subscriptions 0
        carol -> tandem SUBSCRIBE (auth | Event: dialog)
        tandem -> carol 481
        carol -> tandem SUBSCRIBE bob (auth | Event: dialog)
        tandem -> carol 200
        tandem -> carol NOTIFY x+
        wait 32s
        tandem -> carol NOTIFY x+
        subscriptions 0
        carol -> tandem SUBSCRIBE bob (auth | Event: dialog)
        tandem -> carol 200
        tandem -> carol NOTIFY
        carol -> tandem 200
        bob is no user
        tandem -> carol NOTIFY [Subscription-State: terminated;reason=noresource]
        carol -> tandem 200
        subscriptions 0
        bob is a user again
        carol -> tandem SUBSCRIBE bob (auth | Event: dialog)
        tandem -> carol 200
        tandem -> carol NOTIFY
        carol -> tandem 200
        # Only who subscribed may refresh.
        emil -> tandem SUBSCRIBE bob (Event: dialog)
        tandem -> emil 401
        end all
        tandem -> carol NOTIFY [Subscription-State ~ terminated;reason=probation]
        carol -> tandem 200
        ",
    );
}

#[test]
fn only_so_many_subscriptions() {
    play_in(
        |setting| {
            setting.settings.limits.subscriptions = 2;
            setting.settings.limits.subscriptions_per_account = 1;
        },
        "
        carol -> tandem SUBSCRIBE bob (Event: dialog)
        tandem -> carol 401
        carol -> tandem SUBSCRIBE bob (auth | Event: dialog)
        tandem -> carol 200
        tandem -> carol NOTIFY
        carol -> tandem 200
        carol -> tandem SUBSCRIBE alice (auth | Event: dialog)
        tandem -> carol 403 [phrase Too Many Subscriptions]
        emil -> tandem SUBSCRIBE bob (Event: dialog)
        tandem -> emil 401
        emil -> tandem SUBSCRIBE bob (auth | Event: dialog)
        tandem -> emil 200
        tandem -> emil NOTIFY
        emil -> tandem 200
        alice -> tandem SUBSCRIBE bob (Event: dialog)
        tandem -> alice 401
        alice -> tandem SUBSCRIBE bob (auth | Event: dialog)
        tandem -> alice 503 [Retry-After: 60]
        subscriptions 2
        end all
        tandem -> carol NOTIFY
        carol -> tandem 200
        tandem -> emil NOTIFY
        emil -> tandem 200
        ",
    );
}

#[test]
fn presence_is_composed_of_what_is_said_and_what_is_seen() {
    let away = "<presence xmlns='urn:ietf:params:xml:ns:pidf' entity='sip:bob@tandem.local'><tuple id='a'><status>\
                <basic>open</basic></status></tuple><person><activities><away/></activities><note>Lunch</note></person></presence>";
    play(&format!(
        "
        carol -> tandem SUBSCRIBE bob (Event: presence)
        tandem -> carol 401
        carol -> tandem SUBSCRIBE bob (auth | Event: presence)
        tandem -> carol 200
        tandem -> carol NOTIFY [Content-Type: application/pidf+xml | body ~ <basic>closed</basic>]
        carol -> tandem 200
        wait 5s
        bob registers
        tandem -> carol NOTIFY [body ~ <basic>open</basic>]
        carol -> tandem 200
        wait 5s
        bob2 -> tandem PUBLISH bob (Event: presence | type: application/pidf+xml | Expires: 300 | body: {away})
        tandem -> bob2 401
        bob2 -> tandem PUBLISH bob (auth | Event: presence | type: application/pidf+xml | Expires: 300 | body: {away})
        tandem -> bob2 200 [Expires: 300]
        tandem -> carol NOTIFY [body ~ <rpid:away/> | body ~ <note>Lunch</note>]
        carol -> tandem 200
        wait 5s
        alice calls bob (sdp PCMU)
        tandem -> bob INVITE
        tandem -> carol NOTIFY [body ~ <rpid:on-the-phone/>]
        carol -> tandem 200
        bob -> tandem 486
        tandem -> alice 486
        wait 5s
        tandem -> carol NOTIFY [body !~ on-the-phone]
        carol -> tandem 200
        wait 290s
        tandem -> carol NOTIFY [body !~ away | Subscription-State ~ active]
        carol -> tandem 200
        bob2 -> tandem PUBLISH bob (Event: presence | SIP-If-Match: gone)
        tandem -> bob2 401
        bob2 -> tandem PUBLISH bob (auth | Event: presence | SIP-If-Match: gone)
        tandem -> bob2 412
        bob2 -> tandem PUBLISH alice (auth | Event: presence | type: application/pidf+xml | body: {away})
        tandem -> bob2 403
        bob2 -> tandem PUBLISH bob (auth | Event: dialog | type: application/pidf+xml | body: {away})
        tandem -> bob2 489 [Allow-Events: presence]
        bob2 -> tandem PUBLISH bob (auth | Event: presence | type: text/plain | body: {away})
        tandem -> bob2 415 [Accept: application/pidf+xml]
        bob2 -> tandem PUBLISH bob (auth | Event: presence | type: application/pidf+xml | body: <!DOCTYPE p [<!ENTITY a \"ha\">]><presence>&a;</presence>)
        tandem -> bob2 400
        bob2 -> tandem PUBLISH bob (auth | Event: presence | Expires: 1 | type: application/pidf+xml | body: {away})
        tandem -> bob2 423 [Min-Expires: 60]
        end all
        tandem -> carol NOTIFY
        carol -> tandem 200
        "
    ));
}

#[test]
fn who_has_letters_waiting_is_told() {
    play(
        "
        bob -> tandem SUBSCRIBE bob (Event: message-summary)
        tandem -> bob 401
        bob -> tandem SUBSCRIBE bob (auth | Event: message-summary)
        tandem -> bob 200
        tandem -> bob NOTIFY [body ~ Messages-Waiting: no | Content-Type: application/simple-message-summary]
        bob -> tandem 200
        wait 1s
        alice -> tandem MESSAGE bob (type: text/plain | body: hello)
        tandem -> alice 401
        alice -> tandem MESSAGE bob (auth | type: text/plain | body: hello)
        tandem -> alice 202
        tandem -> bob NOTIFY [body ~ Messages-Waiting: yes | body ~ Text-Message: 1/0]
        bob -> tandem 200
        wait 1s
        bob registers
        tandem -> bob MESSAGE [body hello]
        bob -> tandem 200
        tandem -> bob NOTIFY [body ~ Messages-Waiting: no]
        bob -> tandem 200
        end all
        tandem -> bob NOTIFY
        bob -> tandem 200
        ",
    );
}

#[test]
fn who_is_registered_is_told_where() {
    play(
        "
        bob -> tandem SUBSCRIBE bob (Event: reg)
        tandem -> bob 401
        bob -> tandem SUBSCRIBE bob (auth | Event: reg)
        tandem -> bob 200
        tandem -> bob NOTIFY [body ~ state=\"init\"]
        bob -> tandem 200
        wait 5s
        bob registers
        tandem -> bob NOTIFY [body ~ version=\"1\" | body ~ <registration aor=\"sip:bob@tandem.local\" id=\"account\" state=\"active\"> | body ~ <uri>sip:secretof-bob-x@192.0.2.21:5060</uri>]
        bob -> tandem 200
        end all
        tandem -> bob NOTIFY
        bob -> tandem 200
        ",
    );
}

/// Another phone of bob's watches bob: it is told no more of a caller than the phone that rings (RFC 3323 §5.1).
#[test]
fn a_lamp_of_ones_own_shows_the_caller_as_a_phone_is_shown_it() {
    play(
        "
        bob registers
        bob2 -> tandem SUBSCRIBE bob (Event: dialog)
        tandem -> bob2 401
        bob2 -> tandem SUBSCRIBE bob (auth | Event: dialog)
        tandem -> bob2 200
        tandem -> bob2 NOTIFY
        bob2 -> tandem 200
        acme -> tandem INVITE bob (From: <sip:+14155550100@198.51.100.11> | Privacy: id | sdp PCMU)
        tandem -> bob INVITE [From ~ anonymous.invalid]
        bob -> tandem 180
        tandem -> acme 180
        wait 1s
        tandem -> bob2 NOTIFY [body ~ recipient | body !~ <remote> | body !~ 4155550100]
        bob2 -> tandem 200
        bob -> tandem 486
        tandem -> acme 486
        wait 1s
        tandem -> bob2 NOTIFY
        bob2 -> tandem 200
        alice calls *72 (sdp PCMU)
        tandem -> bob INVITE [From ~ +15550199999]
        bob -> tandem 180
        tandem -> alice 180
        wait 1s
        tandem -> bob2 NOTIFY [body ~ <identity>sip:+15550199999@tandem.local</identity> | body !~ 15550100001]
        bob2 -> tandem 200
        bob -> tandem 486
        tandem -> alice 486
        wait 1s
        tandem -> bob2 NOTIFY
        bob2 -> tandem 200
        bob2 -> tandem SUBSCRIBE (auth | Event: dialog | Expires: 0)
        tandem -> bob2 200
        tandem -> bob2 NOTIFY
        bob2 -> tandem 200
        ",
    );
}
