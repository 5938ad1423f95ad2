package cell

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// itemTypes are those of the items of a list.
var itemTypes = []Type{String, Integer, Number, Boolean, Date, Time, Datetime}

// item is what the items of a list are read as.
func (s *Spec) item() *Spec {
	if s.ItemType == "" {
		return &Spec{Type: String}
	}
	t, _ := TypeOf(s.ItemType)
	return &Spec{Type: t}
}

// list reads items with a delimiter between them.
func (s *Spec) list(b []byte) bool {
	item := s.item()
	delimiter := s.Delimiter
	if delimiter == "" {
		delimiter = ","
	}
	for _, v := range strings.Split(string(b), delimiter) {
		if _, ok := item.Parse([]byte(v)); !ok {
			return false
		}
	}
	return true
}

// IsList says that an array of JSON is a list, whose numbers and truth values have their type already.
func (s *Spec) IsList(b []byte) bool {
	item := s.item()
	var items []json.RawMessage
	if b = trim(b); len(b) == 0 || b[0] != '[' || json.Unmarshal(b, &items) != nil {
		return false
	}
	for _, v := range items {
		ok := false
		switch c := v[0]; {
		case c == '"':
			var text string
			if ok = json.Unmarshal(v, &text) == nil; ok {
				_, ok = item.Parse([]byte(text))
			}
		case c == 't' || c == 'f':
			ok = item.Type == Boolean
		case c == '-' || c >= '0' && c <= '9':
			if ok = item.Type == Integer || item.Type == Number; ok {
				_, ok = item.ParseNumeral(v)
			}
		}
		if !ok {
			return false
		}
	}
	return true
}

func (s *Spec) json(b []byte) bool {
	b = trim(b)
	if len(b) == 0 || !json.Valid(b) {
		return false
	}
	switch s.Type {
	case Array:
		return b[0] == '['
	case Geojson:
		return b[0] == '{' && isGeojson(b, s.Format == "topojson")
	}
	return b[0] == '{'
}

var geojsonTypes = []string{"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection", "Feature", "FeatureCollection"}

func isGeojson(b []byte, topology bool) bool {
	var g struct {
		Type    string
		Objects map[string]json.RawMessage
		Arcs    []json.RawMessage
	}
	if json.Unmarshal(b, &g) != nil {
		return false
	}
	if topology {
		return g.Type == "Topology" && g.Objects != nil && g.Arcs != nil
	}
	return slices.Contains(geojsonTypes, g.Type)
}

// geopoint reads a longitude and a latitude, in degrees: "10, 20", [10, 20] or {"lon": 10, "lat": 20}.
func (s *Spec) geopoint(b []byte) bool {
	lon, lat, ok := bytes.Cut(b, []byte(","))
	switch s.Format {
	case "array":
		var pair []json.RawMessage
		if json.Unmarshal(b, &pair) != nil || len(pair) != 2 {
			return false
		}
		lon, lat, ok = pair[0], pair[1], true
	case "object":
		var at map[string]json.RawMessage
		if json.Unmarshal(b, &at) != nil || len(at) != 2 {
			return false
		}
		lon, lat, ok = at["lon"], at["lat"], true
	}
	x, okx := ParseFloat(trim(lon))
	y, oky := ParseFloat(trim(lat))
	return ok && okx && oky && x >= -180 && x <= 180 && y >= -90 && y <= 90
}
