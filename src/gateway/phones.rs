//! Where phones are is kept in the store, so that they can be called right after a restart. What has changed is written in
//! batches by a task of its own: a refresh waits for no disk, and one that follows soon takes the place of the one before.

use crate::base::time::Now;
use crate::call::switch::Switch;
use crate::shell::error::ShellError;
use crate::shell::store::Store;
use crate::sip::flow::{Flow, Transport};
use std::net::SocketAddr;
use tokio::task::JoinHandle;

/// Users whose phones are written at once.
const BATCH: usize = 10_000;

pub struct Phones {
    store: Store,
    writing: Option<JoinHandle<Result<(), Vec<String>>>>,
}

impl Phones {
    /// Gives the switch the phones of an earlier process that it can still reach from where it listens.
    pub async fn restore(
        store: Store,
        switch: &mut Switch,
        now: Now,
        listening: &[(Transport, SocketAddr)],
    ) -> Result<Phones, ShellError> {
        let kept = store.bindings(now).await?;
        let reachable = kept.into_iter().filter(|(_, binding)| is_ours(binding.flow, listening));
        let count = switch.restore_phones(now, reachable);
        if count > 0 {
            tracing::info!("phones that are registered since before this start: {count}");
        }
        Ok(Phones { store, writing: None })
    }

    /// Has written what has changed, unless the last batch is still on its way.
    pub async fn keep(&mut self, switch: &mut Switch, now: Now) {
        if self.writing.as_ref().is_some_and(|writing| !writing.is_finished()) {
            return;
        }
        self.settle(switch).await;
        let changed = switch.take_unkept_phones(BATCH);
        if changed.is_empty() {
            return;
        }
        let store = self.store.clone();
        self.writing = Some(tokio::spawn(async move {
            match store.keep_bindings(now, &changed).await {
                Ok(()) => Ok(()),
                Err(error) => {
                    tracing::error!("registrations are not kept for the next start: {error}");
                    Err(changed.into_iter().map(|(user, _)| user).collect())
                }
            }
        }));
    }

    /// Writes all that is left, or gives up where the store fails.
    pub async fn finish(mut self, switch: &mut Switch, now: Now) {
        while self.settle(switch).await {
            self.keep(switch, now).await;
            if self.writing.is_none() {
                return;
            }
        }
    }

    /// Waits for the batch that is being written; false where it failed, and its users wait for another attempt.
    async fn settle(&mut self, switch: &mut Switch) -> bool {
        let Some(writing) = self.writing.take() else { return true };
        let Ok(Err(users)) = writing.await else { return true };
        users.iter().for_each(|user| switch.keep_phones_again(user));
        false
    }
}

/// Whether a socket of ours is the near end of a flow.
fn is_ours(flow: Flow, listening: &[(Transport, SocketAddr)]) -> bool {
    listening.iter().any(|&(transport, address)| {
        let any = address.ip().is_unspecified() && (address.is_ipv6() || flow.local.is_ipv4());
        transport == flow.transport && address.port() == flow.local.port() && (any || address.ip() == flow.local.ip())
    })
}
