<?xml version="1.0" encoding="UTF-8"?>
<!-- Its words are those of its database's columns. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
  <xsl:import href="gateway:facades/request-header-body/words.xsl"/>
  <xsl:variable name="words">
    <word theirs="HEAD">Header</word> <word theirs="MSG_ID">MessageId</word> <word theirs="SEND_TIME">SendTime</word> <word theirs="BODY">Body</word>
    <word theirs="APPLY_NO">RequisitionNo</word> <word theirs="APPLYS">Requisitions</word> <word theirs="APPLY">Requisition</word>
    <word theirs="STATE">Event</word> <word theirs="STATE_TIME">OccurredAt</word> <word theirs="EXAM_NO">AccessionNo</word>
    <word theirs="REASON">Reason</word> <word theirs="PATIENT">Patient</word> <word theirs="PATIENT_ID">PatientId</word>
    <word theirs="PATIENT_NAME">PatientName</word> <word theirs="SEX">SexCode</word> <word theirs="VISIT">Visit</word>
    <word theirs="VISIT_TYPE">VisitType</word> <word theirs="VISIT_NO">VisitNo</word> <word theirs="REPORT_NO">ReportNo</word>
    <word theirs="VERSION">ReportVersion</word> <word theirs="ACTION">Action</word> <word theirs="REPORT_TYPE">ReportType</word>
    <word theirs="SEE">Findings</word> <word theirs="DIAGNOSIS">Impression</word> <word theirs="MODALITY">Modality</word>
    <word theirs="IMAGE_URL">ViewerUrl</word> <word theirs="DOCTOR_CODE">ReporterCode</word> <word theirs="DOCTOR_NAME">ReporterName</word>
    <word theirs="REPORT_TIME">ReportedAt</word> <word theirs="CHECKER_CODE">AuditorCode</word> <word theirs="CHECKER_NAME">AuditorName</word>
    <word theirs="CHECK_TIME">AuditedAt</word> <word theirs="CHARGE_NO">ChargeNo</word> <word theirs="CHARGE_POINT">ChargePoint</word>
    <word theirs="EXEC_DEPT">PerformDeptCode</word> <word theirs="ROWS">Lines</word> <word theirs="ROW">Line</word>
    <word theirs="ROW_NO">LineNo</word> <word theirs="ITEM_CODE">ChargeCode</word> <word theirs="ITEM_NAME">ItemName</word>
    <word theirs="QTY">Quantity</word> <word theirs="PRICE">UnitPrice</word> <word theirs="COSTS">ListAmount</word>
    <word theirs="CHARGES">ActualAmount</word> <word theirs="REFUND_NO">RefundNo</word> <word theirs="OLD_CHARGE_NO">OriginalChargeNo</word>
    <word theirs="INITIATOR">Initiator</word> <word theirs="REASON_CODE">ReasonCode</word> <word theirs="CHARGE_ROW_NO">OriginalLineNo</word>
    <word theirs="REFUND_QUANTITY">RefundQuantity</word> <word theirs="CRITICAL_ID">CriticalId</word> <word theirs="SOURCE_TYPE">SourceType</word>
    <word theirs="CRITICAL_TEXT">Content</word> <word theirs="FOUND_TIME">FoundAt</word> <word theirs="SCOPE">Scope</word>
    <word theirs="INCLUDE_ORDERS">IncludeOrders</word> <word theirs="RETURN_MODE">ReturnMode</word> <word theirs="PURPOSE">Purpose</word>
  </xsl:variable>
</xsl:stylesheet>
