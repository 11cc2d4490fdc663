package shop;

import io.cloudstate.javasupport.CloudState;
import shop.proto.Shop;

public final class Main {
  public static void main(String[] args) throws Exception {
    var file = Shop.getDescriptor();
    new CloudState()
        .registerEventSourcedEntity(CartEntity.class, file.findServiceByName("Cart"), file)
        .registerEventSourcedEntity(OrdersEntity.class, file.findServiceByName("Orders"), file)
        .registerCrdtEntity(ScoresEntity.class, file.findServiceByName("Scores"), file)
        .start()
        .toCompletableFuture()
        .get();
  }
}
