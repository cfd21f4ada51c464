// Rows of the live page as they come. The server has made them: everything in them is text already.
const list = document.querySelector("[data-live]");
const state = document.querySelector("#live-state");
const source = new EventSource(list.dataset.live);
source.onopen = () => { state.textContent = "New ones come by themselves."; };
source.onerror = () => {
  const ended = source.readyState === EventSource.CLOSED;
  state.textContent = ended ? "The connection has ended: load the page again." : "The connection is lost; it is made again by itself.";
};
source.onmessage = (event) => {
  list.insertAdjacentHTML("afterbegin", event.data);
  while (list.children.length > 50) list.lastElementChild.remove();
};
