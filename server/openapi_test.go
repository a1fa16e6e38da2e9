package server

import (
	"net/http"
	"net/http/httptest"
)

func checkAgainstDocument(h *house, r *http.Request, body string, w *httptest.ResponseRecorder) {}
