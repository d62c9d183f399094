const payload = JSON.parse(document.getElementById("payload").textContent);
draw(document.getElementById("screen"), payload.state, payload.model ? engine(payload) : null, payload.words);
