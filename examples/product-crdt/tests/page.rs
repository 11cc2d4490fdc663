//! The entity, tested without server, runtime or cluster: the test kit plays the other nodes.

use cloudstate_sdk::crdt::testkit::{Outcome, TestKit};
use cloudstate_sdk::crdt::{AnyCrdt, Code, Crdt, ORMap, ServiceCall};
use product_crdt::com::example::page::{LikePage, PageTag, PageView, ReadPage, RenamePage, page as calls};
use product_crdt::{Content, Page};

fn rename(title: &str) -> ServiceCall<()> {
    calls::rename(RenamePage { page: "tea".into(), title: title.into() })
}

fn tag(tag: &str) -> PageTag {
    PageTag { page: "tea".into(), tag: tag.into() }
}

fn like() -> ServiceCall<()> {
    calls::like(LikePage { page: "tea".into() })
}

fn read(page: &mut TestKit<Page>) -> PageView {
    page.call(calls::read(ReadPage { page: "tea".into() })).reply().clone()
}

fn view<const N: usize>(title: &str, tags: [&str; N], likes: u64) -> PageView {
    PageView { title: title.into(), tags: tags.map(Into::into).into(), likes }
}

/// What is on a page that everybody has.
fn content(title: &str, tag: &str) -> Content {
    let mut content = Content::default();
    content.title.set(title.into());
    content.tags.insert(tag.into());
    content.mark_sent();
    content
}

#[test]
fn a_page_has_all_its_parts() {
    let mut page = TestKit::<Page>::new("tea");
    assert_eq!(read(&mut page), view("", [], 0));

    page.call(rename("Tea"));
    for tag_name in ["hot", "green"] {
        page.call(calls::add_tag(tag(tag_name)));
    }
    page.call(calls::remove_tag(tag("hot")));
    page.call(like());
    page.call(like());

    assert_eq!(read(&mut page), view("Tea", ["green"], 2));
    assert_eq!(page.restarted(), *page.state());
}

#[test]
fn what_happens_at_the_same_time_comes_together() {
    let (mut here, mut there) = (content("Tea", "hot"), content("Tea", "hot"));
    here.title.set("Green tea".into());
    here.applause.increment(1);
    there.tags.insert("green".into());
    there.tags.remove("hot");

    let (from_here, from_there) = (here.take_delta().unwrap(), there.take_delta().unwrap());
    here.apply(from_there).unwrap();
    there.apply(from_here).unwrap();

    assert_eq!(here, there);
    let mut page = TestKit::<Page>::new("tea").given(here);
    assert_eq!(read(&mut page), view("Green tea", ["green"], 1));
}

#[test]
fn other_nodes_change_one_part() {
    let mut page = TestKit::<Page>::new("tea").given(content("Tea", "hot"));
    page.call(like());
    page.changed_elsewhere(|content| content.title.set("Green tea".into()));
    page.changed_elsewhere(|content| content.applause.increment(2));
    assert_eq!(read(&mut page), view("Green tea", ["hot"], 3));
}

/// Who knows nothing of the struct sees a map, and in it only what has been changed.
#[test]
fn others_see_a_map() {
    fn receive(map: &mut ORMap<String, AnyCrdt>, outcome: &Outcome<()>) -> Vec<String> {
        map.apply(outcome.delta().unwrap().clone()).unwrap();
        map.keys().cloned().collect()
    }
    let mut map = ORMap::new();
    let mut page = TestKit::<Page>::new("tea");

    assert_eq!(receive(&mut map, &page.call(like())), ["likes"]);
    assert_eq!(receive(&mut map, &page.call(rename("Tea"))), ["likes", "title"]);
    assert_eq!(receive(&mut map, &page.call(calls::add_tag(tag("hot")))), ["likes", "tags", "title"]);
    receive(&mut map, &page.call(like()));

    let Some(AnyCrdt::GCounter(likes)) = map.get("likes") else { panic!("{map:?}") };
    assert_eq!(likes.value(), 2);
}

#[test]
fn what_changes_nothing_sends_nothing() {
    let mut page = TestKit::<Page>::new("tea").given(content("Tea", "hot"));
    for call in [rename("Tea"), calls::add_tag(tag("hot"))] {
        assert!(!page.call(call).has_changed());
    }
}

#[test]
fn what_makes_no_sense_is_refused_and_changes_nothing() {
    let mut page = TestKit::<Page>::new("tea").given(content("Tea", "hot"));
    for (call, code) in [
        (rename(""), Code::InvalidArgument),
        (calls::add_tag(tag("")), Code::InvalidArgument),
        (calls::remove_tag(tag("cold")), Code::NotFound),
    ] {
        let refused = page.call(call);
        assert_eq!(refused.failure().code, code);
        assert!(!refused.has_changed());
    }
    assert_eq!(read(&mut page), view("Tea", ["hot"], 0));
}

#[test]
fn a_page_takes_only_so_many_tags() {
    let mut page = TestKit::<Page>::new("tea");
    for number in 0..20 {
        page.call(calls::add_tag(tag(&number.to_string()))).reply();
    }
    let refused = page.call(calls::add_tag(tag("one more")));
    assert_eq!(refused.failure().code, Code::ResourceExhausted);
    assert_eq!(read(&mut page).tags.len(), 20);
    assert_eq!(page.restarted(), *page.state());
}
