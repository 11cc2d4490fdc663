//! A page whose parts are CRDTs of different types, which travel as one. The contract is in `proto/`.

use cloudstate_sdk::crdt::*;

cloudstate_sdk::include_protos!();
use com::example::page::{LikePage, PageTag, PageView, ReadPage, RenamePage, page};

/// How many tags one page takes.
const MOST_TAGS: usize = 20;

/// What is on a page: each part merges in its own way. The names of the fields are part of what is replicated.
#[derive(Crdt, Clone, Debug, Default, PartialEq)]
pub struct Content {
    /// One of them: the last that was given.
    pub title: LWWRegister<String>,
    /// All that were added and not removed.
    pub tags: ORSet<String>,
    /// Their sum. To rename the field without a change to what is replicated, its key is written down.
    #[crdt(key = "likes")]
    pub applause: GCounter,
}

/// A page that many edit at the same time.
#[crdt_entity(service = page)]
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    content: Content,
}

impl CrdtEntity for Page {
    type Error = Failure;
}

impl page::Crdt for Page {
    fn rename(&mut self, rename: RenamePage, _: &Context) -> Reply<Self, ()> {
        if rename.title.is_empty() {
            return Err(Failure::invalid_argument("the title is empty"));
        }
        // Writing the same again would win over what somebody else writes now.
        if *self.content.title.get() != rename.title {
            self.content.title.set(rename.title);
        }
        Ok(Effect::reply(()))
    }

    fn add_tag(&mut self, PageTag { tag, .. }: PageTag, _: &Context) -> Reply<Self, ()> {
        if tag.is_empty() {
            return Err(Failure::invalid_argument("the tag is empty"));
        }
        let tags = &mut self.content.tags;
        tags.insert(tag);
        if tags.len() > MOST_TAGS {
            // The tag is taken back with the command.
            return Err(Failure::resource_exhausted(format!("a page takes {MOST_TAGS} tags")));
        }
        Ok(Effect::reply(()))
    }

    fn remove_tag(&mut self, PageTag { tag, .. }: PageTag, _: &Context) -> Reply<Self, ()> {
        if !self.content.tags.remove(&tag) {
            return Err(Failure::not_found(format!("the page has no tag {tag}")));
        }
        Ok(Effect::reply(()))
    }

    fn like(&mut self, _: LikePage, _: &Context) -> Reply<Self, ()> {
        self.content.applause.increment(1);
        Ok(Effect::reply(()))
    }

    fn read(&mut self, _: ReadPage, _: &Context) -> Reply<Self, PageView> {
        let Content { title, tags, applause } = &self.content;
        Ok(Effect::reply(PageView {
            title: title.get().clone(),
            tags: tags.iter().cloned().collect(),
            likes: applause.value(),
        }))
    }
}

/// Serves the entity until the process is told to stop.
///
/// # Errors
///
/// When the address cannot be listened on, or the entity and its contract do not go together.
pub async fn run() -> Result<(), cloudstate_sdk::Error> {
    cloudstate_sdk::serve().await
}
