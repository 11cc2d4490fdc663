package models;

import cloudstate.tck.model.Eventsourced;
import io.cloudstate.javasupport.CloudState;

/** The event sourced model services of the conformance kit. */
public final class Main {
  public static void main(String[] args) throws Exception {
    var file = Eventsourced.getDescriptor();
    new CloudState()
        .registerEventSourcedEntity(Model.class, file.findServiceByName("EventSourcedTckModel"), file)
        .registerEventSourcedEntity(Two.class, file.findServiceByName("EventSourcedTwo"), file)
        .start()
        .toCompletableFuture()
        .get();
  }
}
