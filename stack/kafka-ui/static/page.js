// Before the terminal starts: where its WebSocket is, from the address that this page has in the browser.
"use strict";
const socketUrl = new URL("ws", window.location.href);
socketUrl.protocol = socketUrl.protocol.replace("http", "ws");
document.getElementById("terminal").dataset.sessionWebsocketUrl = socketUrl.href;
for (const button of document.querySelectorAll("button")) {
  button.addEventListener("click", () => window.location.reload());
}
