const grpc = require("@grpc/grpc-js");

// The native server binds at once and starts later; that of grpc-js binds asynchronously and serves from then on.
class Server extends grpc.Server {
  bind(address, credentials) {
    this.address = [address, credentials];
    return Number(address.slice(address.lastIndexOf(":") + 1));
  }

  start() {
    this.bindAsync(...this.address, error => {
      if (error) throw error;
    });
  }
}

module.exports = { ...grpc, Server };
