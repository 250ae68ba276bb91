//! Carries letters between the switch and the store, one order after the other.

use crate::call::io::Input;
use crate::call::letter::{PostNews, PostOrder};
use crate::shell::error::ShellError;
use crate::shell::store::Store;
use crate::shell::transport::Arrival;
use tokio::sync::mpsc;

/// Orders that may wait for the disk.
const QUEUE: usize = 1_024;

pub struct Postman {
    orders: mpsc::Sender<PostOrder>,
}

impl Postman {
    /// Counts what there is, then does as it is told. It ends with its `Postman`.
    pub fn start(store: Store, news: mpsc::Sender<Arrival>) -> Postman {
        let (orders, mut waiting) = mpsc::channel::<PostOrder>(QUEUE);
        tokio::spawn(async move {
            let census = store.letter_census().await.map(PostNews::Census);
            tell(&news, census.map(Some)).await;
            while let Some(order) = waiting.recv().await {
                tell(&news, carry_out(&store, order).await).await;
            }
        });
        Postman { orders }
    }

    /// Takes an order, or says at once what becomes of it where too many wait.
    pub fn take(&self, order: PostOrder) -> Option<PostNews> {
        let refused = self.orders.try_send(order).err()?.into_inner();
        let why = || "the store is too slow".to_owned();
        match refused {
            PostOrder::Keep { ticket, .. } => Some(PostNews::Kept { ticket, result: Err(why()) }),
            PostOrder::Fetch { ticket, .. } => Some(PostNews::Fetched { ticket, result: Err(why()) }),
            // What stays by mistake is delivered twice at worst, and expires.
            PostOrder::Discard { .. } | PostOrder::Forget { .. } | PostOrder::Expire { .. } => None,
        }
    }
}

async fn carry_out(store: &Store, order: PostOrder) -> Result<Option<PostNews>, ShellError> {
    match order {
        PostOrder::Keep { ticket, letter } => {
            let result = store.keep_letter(&letter).await.map_err(complain);
            Ok(Some(PostNews::Kept { ticket, result }))
        }
        PostOrder::Fetch { ticket, user, after, limit, now } => {
            let result = store.letters(&user, after, limit, now).await.map_err(complain);
            Ok(Some(PostNews::Fetched { ticket, result }))
        }
        PostOrder::Discard { id } => store.discard_letter(id).await.map(|()| None),
        PostOrder::Forget { user } => store.forget_letters(&user).await.map(|()| None),
        PostOrder::Expire { now } => store.expire_letters(now).await.map(|piles| Some(PostNews::Expired(piles))),
    }
}

async fn tell(news: &mpsc::Sender<Arrival>, result: Result<Option<PostNews>, ShellError>) {
    match result {
        // A loop that has ended needs no news.
        Ok(Some(told)) => drop(news.send(Arrival::Answer(Input::Post(told))).await),
        Ok(None) => {}
        Err(error) => drop(complain(error)),
    }
}

fn complain(error: ShellError) -> String {
    tracing::error!("{error}");
    error.to_string()
}
