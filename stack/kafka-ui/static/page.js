// Before the terminal starts: where its WebSocket is, from the address that this page has in the browser.
"use strict";
const terminal = document.getElementById("terminal");
const socketUrl = new URL("ws", window.location.href);
socketUrl.protocol = socketUrl.protocol.replace("http", "ws");
terminal.dataset.sessionWebsocketUrl = socketUrl.href;
// Keys go to the terminal as soon as there is somebody to send them to.
new MutationObserver((changes, observer) => {
  if (terminal.classList.contains("-connected")) {
    observer.disconnect();
    terminal.querySelector(".xterm-helper-textarea").focus();
  }
}).observe(terminal, { attributeFilter: ["class"] });
for (const button of document.querySelectorAll("button")) {
  button.addEventListener("click", () => window.location.reload());
}
