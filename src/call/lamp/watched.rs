//! What watchers are told: the state of a user, composed of what is published, registered, in progress and kept.

use crate::base::time::Now;
use crate::call::exchange::{CallKey, Exchange};
use crate::sip::flow::Body;
use crate::sip::notifier::{Due, Package, unsolicited};
use crate::wire::events::dialog_info::{DialogState, Direction};
use crate::wire::events::message_summary::{Folder, Waiting};
use crate::wire::events::pidf::{ON_THE_PHONE, Presence};
use crate::wire::events::reginfo::Contact;
use crate::wire::events::{dialog_info, message_summary, pidf, reginfo};
use crate::wire::sip::escape_user;
use std::hash::{DefaultHasher, Hash, Hasher};

impl Exchange {
    /// Sends all notifications that are due. False where none was.
    pub fn tell_watchers(&mut self, now: Now) -> bool {
        self.tell_of_letters(now);
        let mut told = false;
        while let Some(due) = self.notifier.poll_due() {
            let document = self.document(now, &due);
            let Some(request) = self.notifier.notify(now.time, due.id, document) else { continue };
            let request = self.agent.request(now, request);
            self.notifier.sent(due.id, request);
            told = true;
        }
        told
    }

    /// Whether somebody can be reached, for whatever network asks. What users say of themselves counts; where they say
    /// nothing, whoever has a phone can be called.
    pub fn presence_of(&self, now: Now, user: &str) -> Presence {
        let mut presence = Presence::default();
        for published in self.publications.of(user) {
            if published.open.is_some() {
                presence.open = Some(presence.open == Some(true) || published.open == Some(true));
            }
            published.activities.iter().for_each(|activity| presence.add_activity(activity));
            // The latest word.
            presence.note = published.note.clone().or(presence.note);
        }
        if self.lamps.is_lit(user) {
            presence.add_activity(ON_THE_PHONE);
        }
        let is_registered = || !self.registrar.bindings(now, user).is_empty();
        presence.open = Some(presence.open.unwrap_or_else(is_registered));
        presence
    }

    /// What waits for a user. Voice messages are counted here once they are kept.
    pub fn waiting_for(&self, user: &str) -> Waiting {
        let text = Folder { new: self.post.count(user), old: 0 };
        Waiting { voice: Folder::default(), text }
    }

    /// None for a user who is gone.
    fn document(&self, now: Now, due: &Due) -> Option<Body> {
        let user = &self.accounts.by_name(&due.resource)?.name;
        let address = self.address_of(user);
        let text = match due.package {
            Package::Presence => pidf::write(&address, &self.presence_of(now, user)),
            Package::Dialog => dialog_info::write(&address, due.version, &self.dialogs_of(user, due.watcher == *user)),
            Package::MessageSummary => message_summary::write(&address, &self.waiting_for(user)),
            Package::Reg => reginfo::write(&address, due.version, &self.contacts_of(now, user)),
        };
        Some(Body { content_type: due.package.content_type().into(), bytes: text.into() })
    }

    /// Others see that somebody talks, and not with whom.
    fn dialogs_of(&self, user: &str, own: bool) -> Vec<DialogState> {
        let lamps = self.lamps.of(user);
        let state = lamps.map(|(call, lamp)| DialogState {
            id: self.dialog_id(call, lamp.direction),
            local: self.address_of(user),
            direction: lamp.direction,
            stage: lamp.light,
            remote: lamp.remote.as_ref().filter(|_| own).map(|remote| self.address_of(remote)),
        });
        state.collect()
    }

    /// What watchers are told a dialog's name is.
    pub fn dialog_id(&self, call: CallKey, direction: Direction) -> String {
        let mut hasher = DefaultHasher::new();
        (&self.run, call, direction).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    fn contacts_of(&self, now: Now, user: &str) -> Vec<Contact> {
        let bindings = self.registrar.bindings(now, user);
        let contact = |binding: crate::sip::registrar::Binding| Contact {
            id: binding.id,
            expires_in_s: binding.expires_in(now.time),
            uri: binding.uri,
            q: binding.q,
        };
        bindings.into_iter().map(contact).collect()
    }

    /// The address of a name or number of ours; that of a stranger has its own domain.
    fn address_of(&self, text: &str) -> String {
        match text.split_once('@') {
            Some((user, host)) => format!("sip:{}@{host}", escape_user(user)),
            None => format!("sip:{}@{}", escape_user(text), self.settings.sip.domain),
        }
    }

    /// Phones that didn't subscribe are told as well of letters that wait, which RFC 3842 left to them: but only once it is
    /// settled that those don't reach them by themselves.
    fn tell_of_letters(&mut self, now: Now) {
        let mut changed = std::mem::take(&mut self.post.changed);
        changed.sort_unstable();
        changed.dedup();
        for user in changed {
            if self.post.rounds.contains_key(&user) {
                self.post.changed.push(user);
                continue;
            }
            self.notifier.changed(now.time, Package::MessageSummary, &user);
            let waits = self.waiting_for(&user).is_new();
            let was_told = !waits && self.post.told.remove(&user);
            if (waits || was_told) && !self.notifier.is_watched(Package::MessageSummary, &user) {
                self.light_lamps_unasked(now, &user, waits);
            }
        }
    }

    fn light_lamps_unasked(&mut self, now: Now, user: &str, waits: bool) {
        let text = message_summary::write(&self.address_of(user), &self.waiting_for(user));
        let address = self.address_of(user);
        for binding in self.registrar.phones(now, user).into_iter().filter_map(|flows| flows.into_iter().next()) {
            let request = unsolicited(Package::MessageSummary, &address, binding, text.clone());
            self.agent.request(now, request);
            if waits {
                self.post.told.insert(user.to_owned());
            }
        }
    }
}
