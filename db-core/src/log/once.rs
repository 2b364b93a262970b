//! A send that is done once, besides what its `messageId` does for it: a repeat is told the first's status.

use db_api::{
    Call, Refusal,
    types::{Appended, Draft, Outcome},
};

use crate::{
    Core,
    committer::{
        Settled,
        statement::{Arrays, live, settled},
    },
    once::Once,
    store::refuse,
};

/// What a send that is done once is remembered by; its object is the message that the body names.
#[derive(serde::Serialize, serde::Deserialize)]
struct Sent {
    repeated: bool,
}

impl Core {
    /// Claim, write and outcome in one transaction. A repeat runs again into the message that is there, so that its
    /// membership is judged anew, and is answered as the first was.
    pub(super) async fn append_once(&self, call: &Call, draft: &Draft) -> Result<Outcome, Refusal> {
        let once = Once::of(call, draft.actor.user_id);
        let arrays = Arrays::of(std::iter::once(draft));
        let _timer = self.timer("message", "append");
        let (row, first) = self
            .change_room(call, draft.room_id, move |pool| async move {
                let mut tx = pool.begin().await.map_err(refuse)?;
                let earlier = once.earlier::<Sent>(&mut tx).await?;
                let row = arrays.append(&mut tx).await?.pop().ok_or(Refusal::Internal)?;
                let sent = earlier.unwrap_or(Sent {
                    repeated: row.outcome == "repeated",
                });
                // What is refused leaves nothing: its key stays free.
                if row.seq.is_some() {
                    once.commit(tx, &sent).await?;
                }
                Ok((row, sent))
            })
            .await?;
        let settled = settled(draft, row);
        if let Settled::Appended(event) = &settled {
            self.announcer.offer(live(draft, event));
        }
        Ok(match self.told(call, draft, settled).await {
            Outcome::Appended(appended) => Outcome::Appended(Box::new(Appended {
                repeated: first.repeated,
                ..*appended
            })),
            refused => refused,
        })
    }
}
