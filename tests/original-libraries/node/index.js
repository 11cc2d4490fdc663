const { CloudState, EventSourced, Stateless, crdt } = require("cloudstate");

const options = { includeDirs: ["../proto"] };

const cart = new EventSourced("shop.proto", "shop.Cart", { ...options, persistenceId: "carts", snapshotEvery: 3 });
const [ItemAdded, CheckedOut, CartState] = ["ItemAdded", "CheckedOut", "CartState"].map(name =>
  cart.lookupType("shop." + name)
);

cart.setInitial(() => CartState.create({ items: [] }));
cart.setBehavior(() => ({
  commandHandlers: {
    AddItem({ productId, quantity }, state, context) {
      if (quantity <= 0) context.fail("Cannot add a negative quantity of " + productId);
      context.emit(ItemAdded.create({ item: { productId, quantity } }));
      return {};
    },
    GetCart: (_, { items }) => ({ items, process: String(process.pid) }),
    CheckOut({ userId }, { items }, context) {
      context.effect(orders.grpc.shop.Orders.service.Record, { userId, items: items.length }, true);
      context.emit(CheckedOut.create({}));
      return {};
    },
    CountOrders({ userId }, _, context) {
      context.thenForward(orders.grpc.shop.Orders.service.Count, { userId });
    }
  },
  eventHandlers: {
    ItemAdded({ item }, state) {
      const there = state.items.find(({ productId }) => productId === item.productId);
      if (there) there.quantity += item.quantity;
      else state.items.push(item);
      return state;
    },
    CheckedOut: () => CartState.create({ items: [] })
  }
}));

const orders = new EventSourced("shop.proto", "shop.Orders", { ...options, persistenceId: "orders" });
const OrderCount = orders.lookupType("shop.OrderCount");
orders.setInitial(() => OrderCount.create({ orders: 0 }));
orders.setBehavior(() => ({
  commandHandlers: {
    Record(order, _, context) {
      context.emit(orders.lookupType("shop.OrderRecorded").create({ order }));
      return {};
    },
    Count: (_, { orders }) => ({ orders })
  },
  eventHandlers: { OrderRecorded: (_, { orders }) => OrderCount.create({ orders: orders + 1 }) }
}));

const scores = new crdt.Crdt("shop.proto", "shop.Scores", { ...options, persistenceId: "scores" });
scores.defaultValue = () => new crdt.ORMap();
scores.onStateSet = points => (points.defaultValue = () => new crdt.PNCounter());
const table = points => ({ points: Object.fromEntries([...iterate(points.entries())].map(([k, v]) => [k, v.value])) });
// The library's iterators have `next` only.
const iterate = iterator => ({ [Symbol.iterator]: () => iterator });
scores.commandHandlers = {
  Add({ player, points }, context) {
    context.state.get(player).increment(points);
    return table(context.state);
  },
  Get: (_, context) => table(context.state),
  Watch(_, context) {
    if (context.streamed) {
      context.onStateChange = state => table(state);
      context.onStreamCancel = state => void state.get("left").increment(1);
    }
    return table(context.state);
  },
  End(_, context) {
    context.delete();
    return {};
  }
};

const greeter = new Stateless("shop.proto", "shop.Greeter", options);
greeter.commandHandlers = {
  Greet: ({ name }) => ({ text: "Hello " + name }),
  GreetOften(stream, { name }) {
    ["Hello", "Hi", "Bye"].forEach(word => stream.write({ text: word + " " + name }));
    stream.end();
  }
};

new CloudState()
  .addEntity(cart, orders, scores, greeter)
  .start({ bindAddress: process.env.HOST || "127.0.0.1", bindPort: Number(process.env.PORT || 8080) });
