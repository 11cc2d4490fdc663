include!("../parts/contract.rs");
include!("../parts/state.rs");
include!("../parts/commands.rs");

use cloudstate_sdk::prost::Message;

#[derive(Event, Debug, PartialEq)]
pub enum CartEvent {
    #[event(alias = "old.package.ItemAdded", alias = "json.example.com/older.Added")]
    #[event(upcast_from = domain::LineItem)]
    Added(domain::ItemAdded),
    #[event(alias = "old.package.ItemRemoved")]
    Removed(domain::ItemRemoved),
}

impl From<domain::LineItem> for domain::ItemAdded {
    fn from(item: domain::LineItem) -> Self {
        Self { item: Some(item) }
    }
}

impl EventSourcedEntity for Cart {
    type Event = CartEvent;
    type Error = Failure;

    fn apply(&mut self, _: CartEvent) {}
}

fn stored(type_url: &str, message: &impl Message) -> Any {
    Any { type_url: type_url.into(), value: message.encode_to_vec().into() }
}

fn main() {
    let item = domain::LineItem { product_id: "socks".into(), ..Default::default() };
    let added = domain::ItemAdded { item: Some(item.clone()) };
    for name in ["type.googleapis.com/com.example.shoppingcart.persistence.ItemAdded", "x/old.package.ItemAdded", "older.Added"] {
        assert_eq!(CartEvent::decode(&stored(name, &added)), Ok(CartEvent::Added(added.clone())));
    }
    let earlier = stored("type.googleapis.com/com.example.shoppingcart.persistence.LineItem", &item);
    assert_eq!(CartEvent::decode(&earlier), Ok(CartEvent::Added(added.clone())));
    assert_eq!(CartEvent::Added(added).encode().type_name(), "com.example.shoppingcart.persistence.ItemAdded");

    let unknown = CartEvent::decode(&stored("type.googleapis.com/x.Paid", &item)).unwrap_err();
    assert!(unknown.is_unknown_type());
    assert_eq!(
        unknown.to_string(),
        "the type `type.googleapis.com/x.Paid` is not among the known types: \
         com.example.shoppingcart.persistence.ItemAdded, old.package.ItemAdded, older.Added, \
         com.example.shoppingcart.persistence.LineItem, com.example.shoppingcart.persistence.ItemRemoved, \
         old.package.ItemRemoved"
    );
}
