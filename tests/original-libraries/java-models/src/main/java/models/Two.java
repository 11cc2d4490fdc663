package models;

import cloudstate.tck.model.Eventsourced.Request;
import cloudstate.tck.model.Eventsourced.Response;
import io.cloudstate.javasupport.eventsourced.CommandHandler;
import io.cloudstate.javasupport.eventsourced.EventSourcedEntity;

/** Where forwards and side effects go. */
@EventSourcedEntity(persistenceId = "event-sourced-two")
public final class Two {
  @CommandHandler
  public Response call(Request request) {
    return Response.getDefaultInstance();
  }
}
