"""The shop with the Python library, which has event sourced entities only.

Needs PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION=python: the library's generated code is older than the runtime.
"""

import os
from dataclasses import dataclass, field

from cloudstate.cloudstate import CloudState
from cloudstate.entity_pb2 import Forward, SideEffect
from cloudstate.event_sourced_context import EventSourcedCommandContext
from cloudstate.event_sourced_entity import EventSourcedEntity
from google.protobuf.empty_pb2 import Empty

import shop_pb2 as shop


@dataclass
class CartState:
    user_id: str
    items: dict = field(default_factory=dict)


# No snapshots: the library cannot read back those that it made.
cart = EventSourcedEntity(shop.DESCRIPTOR.services_by_name["Cart"], [shop.DESCRIPTOR], CartState, "carts")


@cart.command_handler("AddItem")
def add_item(command: shop.AddLineItem, context: EventSourcedCommandContext):
    if command.quantity <= 0:
        context.fail("Cannot add a negative quantity of " + command.product_id)
    else:
        item = shop.LineItem(product_id=command.product_id, quantity=command.quantity)
        context.emit(shop.ItemAdded(item=item))
    return Empty()


@cart.command_handler("GetCart")
def get_cart(state: CartState):
    return shop.Contents(items=lines(state), process=str(os.getpid()))


@cart.command_handler("CheckOut")
def check_out(state: CartState, context: EventSourcedCommandContext):
    effect = SideEffect(service_name="shop.Orders", command_name="Record", synchronous=True)
    effect.payload.Pack(shop.Order(user_id=state.user_id, items=len(state.items)))
    context.effects.append(effect)
    context.emit(shop.CheckedOut())
    return Empty()


@cart.command_handler("CountOrders")
def count_orders(command: shop.GetShoppingCart, context: EventSourcedCommandContext):
    context.forward = Forward(service_name="shop.Orders", command_name="Count")
    context.forward.payload.Pack(shop.Customer(user_id=command.user_id))


@cart.event_handler(shop.ItemAdded)
def item_added(state: CartState, event: shop.ItemAdded):
    item = event.item
    state.items[item.product_id] = state.items.get(item.product_id, 0) + item.quantity


@cart.event_handler(shop.CheckedOut)
def checked_out(state: CartState, event: shop.CheckedOut):
    state.items.clear()


def lines(state: CartState):
    return [shop.LineItem(product_id=p, quantity=q) for p, q in sorted(state.items.items())]


@dataclass
class OrdersState:
    orders: int = 0


orders = EventSourcedEntity(
    shop.DESCRIPTOR.services_by_name["Orders"], [shop.DESCRIPTOR], lambda _: OrdersState(), "orders"
)


@orders.command_handler("Record")
def record(command: shop.Order, context: EventSourcedCommandContext):
    context.emit(shop.OrderRecorded(order=command))
    return Empty()


@orders.command_handler("Count")
def count(state: OrdersState):
    return shop.OrderCount(orders=state.orders)


@orders.event_handler(shop.OrderRecorded)
def recorded(state: OrdersState, event: shop.OrderRecorded):
    state.orders += 1


if __name__ == "__main__":
    CloudState().register_event_sourced_entity(cart).register_event_sourced_entity(orders).start()
