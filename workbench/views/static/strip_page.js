const payload = JSON.parse(document.getElementById("payload").textContent);
draw(document.getElementById("screen"), payload.state, null);
